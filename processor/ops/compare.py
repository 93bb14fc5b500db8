"""What is stored and what was rebuilt, table by table: SQL, and the first differences in words."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import sql

from processor.ops.shadow_schema import SCHEMA, Connection

#: Differences of one table that are told in words.
SHOWN_MAX: Final = 5
#: They hold a client's own words, which are not for a terminal; that they differ is told.
_UNSHOWN: Final = frozenset({"document", "snapshot", "request"})


#: Columns that hold money.
_AMOUNTS: Final = frozenset(
    {"amount", "authorized", "captured", "refunded", "funds_withdrawn", "funds_reinstated"}
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table to compare: its key, and the columns that a rebuild must bring forth again."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    #: Which of the stored rows, besides those of payments that can be checked.
    only: LiteralString = "true"


#: What an operator did is no part of the log's story, and what waits is not decided yet.
_DECIDED: Final = """kind <> 'operator.release' and not (outcome in ('parked', 'quarantined')
    and payment_id in (select payment_id from {stored}.quarantines))"""

TABLES: Final = (
    Table(
        "payments",
        ("payment_id",),
        (
            "tenant", "provider", "object_id", "status", "version", "amount", "currency",
            "authorized", "captured", "refunded", "expires_at", "created_at", "updated_at",
            "document",
        ),
    ),
    Table(
        "payment_versions",
        ("payment_id", "version"),
        ("previous_status", "status", "event_id", "at", "snapshot"),
    ),
    Table("refunds", ("payment_id", "refund_id"), ("status", "amount", "reversed", "updated_at")),
    Table(
        "disputes",
        ("payment_id", "dispute_id"),
        ("status", "amount", "funds_withdrawn", "funds_reinstated", "updated_at"),
    ),
    Table("provider_calls", ("call_key",), ("payment_id", "provider", "operation", "request")),
    Table("inbox", ("event_id",), ("payment_id", "kind", "outcome", "version"), _DECIDED),
)  # fmt: skip

#: A snapshot is compared to the byte, so as text.
_AS_TEXT: Final = frozenset({"snapshot"})

_ROWS: Final = """
    with stored as (select {key}, jsonb_build_object({columns}) as what from {stored}.{table}
                    where {only} and payment_id not in (select payment_id from not_checkable)),
         rebuilt as (select {key}, jsonb_build_object({columns}) as what from {shadow}.{table})"""
_CHECKED: Final = " select count(*) from stored full join rebuilt using ({key})"
_DIFFERENT: Final = """
    select count(*) over (), concat_ws(' ', {key}), stored.what, rebuilt.what
    from stored full join rebuilt using ({key})
    where stored.what is distinct from rebuilt.what order by {key} limit {most}"""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one table: rows looked at, rows that differ, and the first of those in words."""

    table: str
    checked: int
    different: int
    shown: tuple[str, ...]


async def compare(connection: Connection, stored: str, table: Table) -> Compared:
    """One table of the schema ``stored`` and the same of the shadow schema."""
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    schema = sql.Identifier(stored)
    parts = {
        "key": key,
        "columns": sql.SQL(", ").join(map(_named, table.columns)),
        "stored": schema,
        "shadow": sql.Identifier(SCHEMA),
        "table": sql.Identifier(table.name),
        "only": sql.SQL(table.only).format(stored=schema),
        "most": sql.Literal(SHOWN_MAX),
    }
    rows = await _all(connection, sql.SQL(_ROWS + _DIFFERENT).format(**parts))
    ((checked,),) = await _all(connection, sql.SQL(_ROWS + _CHECKED).format(**parts))
    different = rows[0][0] if rows else 0
    return Compared(table.name, checked, different, tuple(_in_words(*row[1:]) for row in rows))


async def _all(connection: Connection, statement: sql.Composed) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement)).fetchall()


def _named(column: str) -> sql.Composable:
    value = sql.Identifier(column) + sql.SQL("::text" if column in _AS_TEXT else "")
    return sql.Literal(column) + sql.SQL("::text, ") + value


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
