"""Compares stored and rebuilt rows, table by table."""

from dataclasses import dataclass
from typing import Any, Final

from postgres.ops import rebuild
from postgres.ops.rebuild import Connection, Table

#: Differences per table that are described.
EXAMPLES_MAX: Final = 5
#: Columns with a client's own data. Their values are not printed, only that they differ.
_PRIVATE: Final = frozenset({"document", "snapshot", "request"})
#: Columns with amounts.
_AMOUNTS: Final = frozenset(
    {"amount", "authorized", "captured", "refunded", "funds_withdrawn", "funds_reinstated"}
)


@dataclass(frozen=True, slots=True)
class TableComparison:
    """The result for one table: rows checked, rows that differ, and descriptions of the first."""

    table: str
    checked: int
    different: int
    examples: tuple[str, ...]


async def compare(connection: Connection, stored: str, table: Table) -> TableComparison:
    """Compares one table of the schema ``stored`` with the rebuilt one."""
    checked, different, rows = await rebuild.differences(connection, stored, table, EXAMPLES_MAX)
    examples = tuple(_describe_difference(*row) for row in rows)
    return TableComparison(table.name, checked, different, examples)


def _describe_difference(
    key: str, stored: dict[str, Any] | None, rebuilt: dict[str, Any] | None
) -> str:
    if stored is None:
        return f"{key} is not stored"
    if rebuilt is None:
        return f"{key} is stored but was not rebuilt"
    differ = [
        name
        if name in _PRIVATE
        else f"{_label(name)} (stored {stored[name]!r}, rebuilt {rebuilt[name]!r})"
        for name in stored
        if stored[name] != rebuilt[name]
    ]
    return f"{key}: {', '.join(differ)}"


def _label(column: str) -> str:
    """Returns the column's name, with the unit of amounts; these rows do not name the currency."""
    return f"{column} in minor units" if column in _AMOUNTS else column
