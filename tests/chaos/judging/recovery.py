"""The time from a fault to the next commits, from a history. Pure."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from tests.chaos.history import AnyEntry, FaultBegan, Published

#: The first words of the faults for which the recovery time is measured.
AFTER: Final = ("stream", "broker", "postgres", "worker", "ingress")


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery times of one kind of fault, in seconds.

    Args:
        first: until the next committed version on any partition.
        whole: until every partition had one.
    """

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        def shown(values: Sequence[float]) -> str:
            return f"{median(values):5.2f} / {max(values):5.2f}" if values else "    - /     -"

        return f"next commit {shown(self.first)}   on every partition {shown(self.whole)}"


def recoveries(entries: Sequence[AnyEntry]) -> Mapping[str, Recovery]:
    """Recovery times by kind of fault. Faults without later commits are left out."""
    commits: dict[int, list[float]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry, Published):
            commits[entry.partition].append(entry.at)
    found: dict[str, Recovery] = {}
    for entry in entries:
        if isinstance(entry, FaultBegan) and entry.kind.startswith(AFTER):
            nexts = [_next(times, entry.at) for times in commits.values()]
            one = found.setdefault(entry.kind, Recovery())
            known = [each for each in nexts if each is not None]
            if known:
                one.first.append(min(known) - entry.at)
            if len(known) == len(nexts) and known:
                one.whole.append(max(known) - entry.at)
    return found


def _next(times: Sequence[float], after: float) -> float | None:
    place = bisect(times, after)
    return times[place] if place < len(times) else None
