"""C1: the coverage of a set of seeds, and what is missing from it."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from domain.status import Outcome, Status
from domain.transitions import TRANSITIONS
from tests.simulation.faults import FAULTS, FAULTS_OF_SOME
from tests.simulation.outside.journal import OF_ACCOUNTS, OF_ENDPOINTS
from tests.simulation.outside.owners import OWNERS
from tests.simulation.outside.strangers import STRANGERS
from tests.simulation.points import POINTS

#: At this provider an event with the key of our create never reports a cancelled object. Another
#: provider's may; the model checker covers that transition.
_NOT_AT_THIS_PROVIDER: Final = (Status.CREATED, Status.CANCELED)


class Coverage:
    """The total coverage of several seeds."""

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        self.crashed_at: Counter[str] = Counter()

    def add(self, met: Counter[str], crashed_at: Counter[str]) -> None:
        """Adds one seed's coverage."""
        self.met.update(met)
        self.crashed_at.update(crashed_at)

    def missing(self) -> list[str]:
        """Transitions, outcomes, faults and crash points that no seed has covered."""
        return [name for name, count in self.counts() if not count]

    def counts(self) -> Iterator[tuple[str, int]]:
        """Everything that must be covered, with its count."""
        for edge in TRANSITIONS:
            if (edge.source, edge.target) == _NOT_AT_THIS_PROVIDER:
                continue
            name = f"{edge.source} to {edge.target}"
            yield name, self.met[name]
        for outcome in Outcome:
            name = f"outcome {outcome}"
            yield name, self.met[name]
        yield "dead letter", self.met["dead letter"]
        yield "quarantine released", self.met["quarantine released"]
        for fault in (*FAULTS, *FAULTS_OF_SOME):
            yield f"fault {fault.name}", self.met[fault.name]
        for version in OF_ENDPOINTS:
            yield f"webhook in {version}", self.met[f"webhook in {version}"]
        for version in OF_ACCOUNTS:
            yield f"list in {version}", self.met[f"list in {version}"]
        for owner in OWNERS:
            yield f"payment in {owner.name}", self.met[f"payment in {owner.name}"]
        for kind in STRANGERS:
            yield f"stranger's {kind}", self.met[f"stranger's {kind}"]
        for point in POINTS:
            yield f"crash at {point}", self.crashed_at[point]
