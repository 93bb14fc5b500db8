"""C1: what a set of seeds must really have met. What it has not is named."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from domain.status import Outcome, Status
from domain.transitions import TRANSITIONS
from tests.simulation.faults import FAULTS
from tests.simulation.points import POINTS

#: An event that echoes the key of our create tells of no cancelled object at this provider; from
#: another it may, and the model checker has it.
_NEVER_HERE: Final = (Status.CREATED, Status.CANCELED)


class Coverage:
    """Adds up what seeds have met."""

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        self.crashed_at: Counter[str] = Counter()

    def add(self, met: Counter[str], crashed_at: Counter[str]) -> None:
        """Takes in what one seed has met."""
        self.met.update(met)
        self.crashed_at.update(crashed_at)

    def missing(self) -> list[str]:
        """Transitions, outcomes, faults and points to crash at that no seed has met."""
        return [name for name, count in self.counts() if not count]

    def counts(self) -> Iterator[tuple[str, int]]:
        """Everything that has to be met, and how often it was."""
        for edge in TRANSITIONS:
            if (edge.source, edge.target) == _NEVER_HERE:
                continue
            name = f"{edge.source} to {edge.target}"
            yield name, self.met[name]
        for outcome in Outcome:
            name = f"outcome {outcome}"
            yield name, self.met[name]
        yield "dead letter", self.met["dead letter"]
        yield "quarantine released", self.met["quarantine released"]
        for fault in FAULTS:
            yield f"fault {fault.name}", self.met[fault.name]
        for point in POINTS:
            yield f"crash at {point}", self.crashed_at[point]
