"""What an audit found so far, added up over the ranges. Its size is bounded."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from msgspec import Struct

from processor.ops.invariants import INVARIANTS, Evidence

#: Violations of one invariant that are kept.
EXAMPLES_MAX: Final = 5


class Finding(Struct, kw_only=True):
    """How much was checked of one invariant, and how often it is violated."""

    meaning: str
    #: What is counted, in the plural.
    unit: str
    checked: int = 0
    violations: int = 0
    #: The first violations, in words.
    first: list[str] = []

    def add(self, violations: Iterator[str]) -> None:
        """Counts violations, and keeps the first."""
        self.first += (kept := list(islice(violations, EXAMPLES_MAX - len(self.first))))
        self.violations += len(kept) + sum(1 for _ in violations)


class Findings:
    """The findings by invariant. They are there, in part, even if the audit was interrupted."""

    def __init__(self) -> None:
        self.by_code: dict[str, Finding] = {
            code: Finding(meaning=each.meaning, unit=each.unit) for code, each in INVARIANTS.items()
        }
        #: Where to go on; None where nothing was checked yet, or everything is.
        self.reached: str | None = None

    def check(self, evidence: Evidence, *but: str) -> None:
        """Checks the evidence of some payments, for all invariants but these."""
        for code, invariant in INVARIANTS.items():
            self.by_code[code].checked += invariant.count(evidence)
            if code not in but:
                self.add(code, invariant.violations(evidence))

    def merge(self, others: Mapping[str, Finding]) -> None:
        """Adds what was found of other payments."""
        for code, other in others.items():
            mine = self.by_code[code]
            mine.checked += other.checked
            mine.add(iter(other.first))
            mine.violations += other.violations - len(other.first)

    def add(self, code: str, violations: Iterable[str]) -> None:
        """Adds violations of one invariant."""
        self.by_code[code].add(iter(violations))

    @property
    def is_violated(self) -> bool:
        """Whether any invariant is violated."""
        return any(each.violations for each in self.by_code.values())

    def in_order(self) -> dict[str, Finding]:
        """Returns them in order: S1, S2 … S13, L1."""
        ordered = sorted(self.by_code, key=lambda code: (code[0] == "L", int(code[1:])))
        return {code: self.by_code[code] for code in ordered}
