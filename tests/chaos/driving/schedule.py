"""When which fault happens to whom: drawn from a seed, before anything happens. Pure."""

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
        name: says what happens.
        targets: to whom: programs, links or groups.
        every_s: least and most seconds from the end of one to the beginning of the next.
        lasts_s: least and most seconds it lasts.
        alone: two of kinds with the same word are never at the same time.
    """

    name: str
    targets: Sequence[str]
    every_s: Range
    lasts_s: Range = (0.0, 0.0)
    alone: str | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A fault to come: when, in seconds from the beginning, for how long, to whom."""

    at: float
    lasts: float
    kind: str
    target: str

    @property
    def until(self) -> float:
        """When it is over."""
        return self.at + self.lasts

    def __str__(self) -> str:
        return f"{self.at:7.2f} s  {self.kind:<22} {self.target:<22} for {self.lasts:.1f} s"


def draw(kinds: Sequence[Kind], seconds: float, seed: int) -> list[Occurrence]:
    """A schedule for so many seconds, in order of time. Every kind is in it at least once.

    Nothing happens to a target while something else happens to it. Raises ValueError when a kind
    finds no room.
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
    """One kind's occurrences, the first soon. Later ones that find no room are left out."""

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
    """Whether the two can't both be: at one time, and of one target or each to be alone."""
    together = kind.alone is not None and kind.alone == other.alone
    apart = one.until < another.at or another.until < one.at
    return not apart and (together or one.target == another.target)
