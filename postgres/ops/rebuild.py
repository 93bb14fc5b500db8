"""The rebuild's SQL: a second schema with a copy of the log, compared with the stored one.

The schema is called ``rebuild``. It is made empty by the migrations, and a connection to it finds
every table by its bare name.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import msgspec
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ports.errors import RebuildRunningError
from ports.records import ConsumedRecord
from postgres.deadlines import OperatingConnection
from postgres.history import NEVER_CAME
from postgres.migrate import migrate

Connection = AsyncConnection[tuple[Any, ...]]

SCHEMA: Final = "rebuild"
#: An advisory lock of this schema's own: two rebuilds would share it.
LOCK: Final = 7_236_120_573

#: The stored rows are those of the moment of the first statement.
ONE_MOMENT: Final = "set transaction isolation level repeatable read"
#: Unlogged is faster, and after a crash of Postgres nobody needs its rows.
_CREATE_LOG: Final = """
    create unlogged table log (
        topic text, partition integer, "offset" bigint, key bytea, headers jsonb, value bytea,
        primary key (topic, partition, "offset"))"""
_COPY: Final = 'copy log (topic, partition, "offset", key, headers, value) from stdin'

#: Payments that can't be rebuilt: a record of theirs has left the log or has no order; an input was
#: given up because of its age; the inbox no longer has their first event.
_NOT_CHECKABLE: Final = """
    create table not_checkable as
    select distinct i.payment_id
    from {stored}.inbox i left join log l using (topic, partition, "offset")
    where l.topic is null or i.decided is null
    union
    select i.payment_id from {stored}.inbox i where i.reason = {given_up}
    union
    select v.payment_id from {stored}.payment_versions v
    where v.version = 1
        and not exists (select from {stored}.inbox i where i.event_id = v.event_id)"""

_INPUTS: Final = """
    select l.topic, l.partition, l."offset", l.key, l.headers, l.value
    from {stored}.inbox i join log l using (topic, partition, "offset")
    where i.kind <> 'operator.release'
        and i.payment_id not in (select payment_id from not_checkable)
        and not (i.outcome in ('parked', 'quarantined')
                 and i.payment_id in (select payment_id from {stored}.quarantines))
    order by i.decided"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to compare: its key, and the columns that a rebuild must reproduce."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    #: A further condition on the stored rows.
    only: LiteralString = "true"


#: Releases are not decided again, and what waits behind a quarantine is not decided yet.
_DECIDED: Final = """kind <> 'operator.release' and not (outcome in ('parked', 'quarantined')
    and payment_id in (select payment_id from {stored}.quarantines))"""

TABLES: Final = (
    Table(
        "payments",
        ("payment_id",),
        (
            "tenant", "provider", "object_id", "status", "version", "amount", "currency",
            "authorized", "captured", "refunded", "expires_at", "created_at", "updated_at",
            "document", "snapshot",
        ),
    ),
    Table(
        "payment_versions",
        ("payment_id", "version"),
        ("previous_status", "status", "event_id", "at"),
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

#: Compared as text: a snapshot must be equal to the byte.
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


def url_of(database_url: str) -> str:
    """Returns the URL of the same database with the shadow schema as its search path."""
    options = conninfo_to_dict(database_url).get("options") or ""
    return make_conninfo(database_url, options=f"{options} -c search_path={SCHEMA}".strip())


async def make(database_url: str) -> None:
    """Makes the schema as the migrations do, empty. An earlier one is dropped."""
    async with await OperatingConnection.connect(database_url) as connection:
        await drop(connection)
        await connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCHEMA)))
    await asyncio.to_thread(migrate, url_of(database_url))
    async with await OperatingConnection.connect(url_of(database_url)) as connection:
        await connection.execute(_CREATE_LOG)


async def drop(connection: Connection) -> None:
    """Drops the schema and everything in it."""
    statement = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCHEMA))
    await connection.execute(statement)


async def lock(connection: Connection) -> None:
    """Locks out other rebuilds for as long as this connection lives.

    Raises RebuildRunningError if another one is running.
    """
    cursor = await connection.execute("select pg_try_advisory_lock(%s)", [LOCK])
    row = await cursor.fetchone()
    if row is None or not row[0]:
        raise RebuildRunningError("another rebuild is running on this database")


async def copy_log(connection: Connection, records: AsyncIterator[ConsumedRecord]) -> int:
    """Copies the records to the table ``log``. Returns how many there were."""
    count = 0
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        async for record in records:
            at, headers = record.position, msgspec.json.encode(dict(record.headers)).decode()
            await copy.write_row((
                at.topic, at.partition, at.offset, record.key, headers, record.value,
            ))  # fmt: skip
            count += 1
    await connection.execute("analyze log")
    return count


async def stored_schema(database_url: str) -> str:
    """Returns the name of the schema that the service writes to."""
    async with await OperatingConnection.connect(database_url) as connection:
        return str(await value(connection, "select current_schema()"))


async def count_quarantines(connection: Connection, stored: str) -> int:
    """Returns how many payments are quarantined in the schema ``stored``."""
    statement = sql.SQL("select count(*) from {}.quarantines").format(sql.Identifier(stored))
    return int(await value(connection, statement))


async def note_not_checkable(connection: Connection, stored: str) -> int:
    """Makes the table of the payments that can't be rebuilt. Returns how many there are."""
    schema = sql.Identifier(stored)
    await connection.execute(
        sql.SQL(_NOT_CHECKABLE).format(stored=schema, given_up=sql.Literal(NEVER_CAME))
    )
    return int(await value(connection, "select count(*) from not_checkable"))


def inputs(stored: str) -> sql.Composed:
    """Returns the statement for the records to decide again, in the order of their decisions."""
    return sql.SQL(_INPUTS).format(stored=sql.Identifier(stored))


async def differences(
    connection: Connection, stored: str, table: Table, limit: int
) -> tuple[int, int, list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]]:
    """Compares one table of the schema ``stored`` with the rebuilt one.

    Returns how many rows were compared, how many differ, and the first ``limit`` of these: the key,
    the stored row and the rebuilt row, either of which may be missing.
    """
    schema = sql.Identifier(stored)
    parts = {
        "key": sql.SQL(", ").join(map(sql.Identifier, table.key)),
        "columns": sql.SQL(", ").join(map(_named, table.columns)),
        "stored": schema,
        "shadow": sql.Identifier(SCHEMA),
        "table": sql.Identifier(table.name),
        "only": sql.SQL(table.only).format(stored=schema),
        "most": sql.Literal(limit),
    }
    found = await connection.execute(sql.SQL(_ROWS + _DIFFERENT).format(**parts))
    rows = await found.fetchall()
    compared = await value(connection, sql.SQL(_ROWS + _CHECKED).format(**parts))
    return compared, rows[0][0] if rows else 0, [(row[1], row[2], row[3]) for row in rows]


def _named(column: str) -> sql.Composable:
    selected = sql.Identifier(column) + sql.SQL("::text" if column in _AS_TEXT else "")
    return sql.Literal(column) + sql.SQL("::text, ") + selected


async def value(connection: Connection, statement: LiteralString | sql.Composed) -> Any:
    """Returns the first column of the first row, or None without a row."""
    row = await (await connection.execute(statement)).fetchone()
    return row[0] if row is not None else None
