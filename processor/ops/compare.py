"""Compares what is stored with what was rebuilt, table by table; the first differences in words."""

from dataclasses import dataclass
from typing import Any, Final

from postgres import rebuild
from postgres.rebuild import Connection, Table

#: The most differences of one table that are shown in words.
SHOWN_MAX: Final = 5
#: Columns with a client's own texts, which are not for a terminal: only that they differ is shown.
_UNSHOWN: Final = frozenset({"document", "snapshot", "request"})
#: Columns with amounts.
_AMOUNTS: Final = frozenset(
    {"amount", "authorized", "captured", "refunded", "funds_withdrawn", "funds_reinstated"}
)


@dataclass(frozen=True, slots=True)
class Compared:
    """The result for one table: rows compared, rows that differ, the first of these in words."""

    table: str
    checked: int
    different: int
    shown: tuple[str, ...]


async def compare(connection: Connection, stored: str, table: Table) -> Compared:
    """Compares one table of the schema ``stored`` with the rebuilt one."""
    checked, different, rows = await rebuild.differences(connection, stored, table, SHOWN_MAX)
    return Compared(table.name, checked, different, tuple(_in_words(*row) for row in rows))


def _in_words(key: str, stored: dict[str, Any] | None, rebuilt: dict[str, Any] | None) -> str:
    if stored is None:
        return f"{key} is not stored"
    if rebuilt is None:
        return f"{key} is stored, and was not rebuilt"
    differ = [
        name
        if name in _UNSHOWN
        else f"{_label(name)} (stored {stored[name]!r}, rebuilt {rebuilt[name]!r})"
        for name in stored
        if stored[name] != rebuilt[name]
    ]
    return f"{key}: {', '.join(differ)}"


def _label(column: str) -> str:
    """A column by its name; the rows of one table don't name the currency of their amounts."""
    return f"{column} in minor units" if column in _AMOUNTS else column
