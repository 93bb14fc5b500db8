"""Compares stored and rebuilt rows, table by table."""

from collections.abc import Collection
from typing import Any, Final

from postgres.ops.rebuild import differences as sql
from postgres.ops.rebuild.differences import Connection, Table
from postgres.ops.rebuild.parts import Part
from processor.ops.rebuild.results import EXAMPLES_MAX, TableComparison

#: Columns with a client's own data. Their values are not printed, only that they differ.
_PRIVATE: Final = frozenset({"document", "snapshot", "request"})
#: Columns with amounts.
_AMOUNTS: Final = frozenset({"amount", "authorized", "captured", "refunded"})


async def compare(
    connection: Connection, stored: str, table: Table, part: Part, left_out: Collection[str]
) -> TableComparison:
    """Compares a part of one table of the schema ``stored`` with the rebuilt one.

    ``left_out`` are payments of the part that are not compared.
    """
    checked, different, rows = await sql.differences(
        connection, stored, table, part, left_out, EXAMPLES_MAX
    )
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
