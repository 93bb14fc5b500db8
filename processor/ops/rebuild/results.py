"""What a rebuild found: of a part, as it is kept until all are finished, and of all."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

#: Differences per table that are described.
EXAMPLES_MAX: Final = 5


class TableComparison(Struct, frozen=True):
    """The result for one table: rows checked, rows that differ, and descriptions of the first."""

    table: str
    checked: int
    different: int
    examples: tuple[str, ...]

    def __add__(self, other: "TableComparison") -> "TableComparison":
        """Adds the rows of another part."""
        return TableComparison(
            self.table,
            self.checked + other.checked,
            self.different + other.different,
            (*self.examples, *other.examples)[:EXAMPLES_MAX],
        )


class PartResult(Struct, frozen=True, kw_only=True):
    """The result of one part."""

    #: Records of the part in the log, and how many of them were decided again.
    records: int
    inputs: int
    #: Payments for which the log or the order of decisions is incomplete, and the first of them.
    not_checkable: int
    not_checkable_first: tuple[str, ...] = ()
    #: Payments with an input that came after the log was copied.
    newer: int
    quarantined: int
    tables: tuple[TableComparison, ...]
    #: The payments that could not be decided again, compared with their own facts.
    facts: TableComparison

    def __add__(self, other: "PartResult") -> "PartResult":
        """Adds another part."""
        first = (*self.not_checkable_first, *other.not_checkable_first)[:EXAMPLES_MAX]
        return PartResult(
            records=self.records + other.records,
            inputs=self.inputs + other.inputs,
            not_checkable=self.not_checkable + other.not_checkable,
            not_checkable_first=first,
            newer=self.newer + other.newer,
            quarantined=self.quarantined + other.quarantined,
            tables=tuple(a + b for a, b in zip(self.tables, other.tables, strict=True)),
            facts=self.facts + other.facts,
        )


class RebuildResult(PartResult, frozen=True, kw_only=True):
    """The result of a rebuild."""

    @property
    def compared(self) -> tuple[TableComparison, ...]:
        """The tables, and the facts of the payments that could not be decided again."""
        return (*self.tables, self.facts)

    @property
    def is_equal(self) -> bool:
        """Whether every stored row that could be checked equals the rebuilt one."""
        return not any(table.different for table in self.compared)


def encode(result: PartResult) -> str:
    """Returns a part's result as JSON."""
    return msgspec.json.encode(result).decode()


def total(nothing: PartResult, results: Iterable[str]) -> RebuildResult:
    """Adds the parts' results, in JSON."""
    found = nothing
    for result in results:
        found += msgspec.json.decode(result, type=PartResult)
    return msgspec.convert(found, RebuildResult, from_attributes=True)


def nothing(tables: Sequence[str]) -> PartResult:
    """Returns the result of no part at all."""
    return PartResult(
        records=0,
        inputs=0,
        not_checkable=0,
        newer=0,
        quarantined=0,
        tables=tuple(TableComparison(name, 0, 0, ()) for name in tables),
        facts=TableComparison("facts", 0, 0, ()),
    )
