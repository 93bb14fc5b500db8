"""The schedule of faults: times and targets, drawn from a seed before the run. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

Range = tuple[float, float]
TRIES: Final = 50


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Args:
        name: its name in the history.
        targets: programs, links or groups.
        every_s: the range of seconds from the end of one to the beginning of the next.
        lasts_s: the range of its duration, in seconds.
        alone: kinds with the same value never overlap.
    """

    name: str
    targets: Sequence[str]
    every_s: Range
    lasts_s: Range = (0.0, 0.0)
    alone: str | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A planned fault: its start and duration in seconds, its kind and its target."""

    at: float
    lasts: float
    kind: str
    target: str

    @property
    def until(self) -> float:
        """When it ends, in seconds from the beginning."""
        return self.at + self.lasts

    def __str__(self) -> str:
        return f"{self.at:7.2f} s  {self.kind:<22} {self.target:<22} for {self.lasts:.1f} s"


def draw(kinds: Sequence[Kind], seconds: float, seed: int) -> list[Occurrence]:
    """Draws a schedule of this many seconds, in order of time, with every kind at least once.

    Faults on one target never overlap. Raises ValueError if a kind does not fit.
    """
    taken: list[tuple[Kind, Occurrence]] = []
    rarest_first = sorted(kinds, key=lambda kind: -(kind.every_s[0] + kind.lasts_s[1]))
    for kind in rarest_first:
        chance = random.Random(f"{seed} {kind.name}")  # noqa: S311  # a schedule is no secret
        found = list(_of(kind, seconds, chance, taken))
        if not found:
            raise ValueError(f"no room for '{kind.name}' in {seconds} s")
        taken += [(kind, occurrence) for occurrence in found]
    return sorted((occurrence for _, occurrence in taken), key=lambda each: (each.at, each.kind))


def _of(
    kind: Kind, seconds: float, chance: random.Random, taken: Sequence[tuple[Kind, Occurrence]]
) -> Iterator[Occurrence]:
    """One kind's occurrences, the first one early. Later ones that do not fit are left out."""

    def one_at(begin: float) -> Occurrence:
        lasts, target = chance.uniform(*kind.lasts_s), chance.choice(kind.targets)
        return Occurrence(round(begin, 3), round(lasts, 3), kind.name, target)

    def fits(one: Occurrence) -> bool:
        return not any(_clash(kind, one, *other) for other in taken)

    latest = seconds - kind.lasts_s[1]
    soon = max(0.0, min(latest, 2 * kind.every_s[1]))
    tries = (one_at(chance.uniform(0.0, soon)) for _ in range(TRIES))
    one = next((each for each in tries if fits(each)), None)
    if one is None:
        return
    yield one
    while (begin := one.until + chance.uniform(*kind.every_s)) <= latest:
        one = one_at(begin)
        if fits(one):
            yield one


def _clash(kind: Kind, one: Occurrence, other: Kind, another: Occurrence) -> bool:
    """Whether two occurrences overlap although they share a target or a value of ``alone``."""
    together = kind.alone is not None and kind.alone == other.alone
    are_disjoint = one.until < another.at or another.until < one.at
    return not are_disjoint and (together or one.target == another.target)
