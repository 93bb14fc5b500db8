"""A second schema beside the stored one, empty, with a copy of the log: where a rebuild happens."""

import asyncio
from typing import Any, Final, LiteralString

import msgspec
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from messaging import log_reader
from ports.errors import RebuildRunningError
from postgres.deadlines import OperatingConnection
from postgres.migrate import migrate
from schemas.topics import PROCESSOR_SOURCES

Connection = AsyncConnection[tuple[Any, ...]]

SCHEMA: Final = "rebuild"
#: Any number, as long as nobody else locks it: two rebuilds would share one schema.
LOCK: Final = 7_236_120_573

#: Unlogged: after a crash of Postgres it is empty, and so is the rebuild's use for it.
_CREATE_LOG: Final = """
    create unlogged table log (
        topic text, partition integer, "offset" bigint, key bytea, headers jsonb, value bytea,
        primary key (topic, partition, "offset"))"""
_COPY: Final = 'copy log (topic, partition, "offset", key, headers, value) from stdin'


def url_of(database_url: str) -> str:
    """How the shadow schema is reached: every table's bare name is a table of it."""
    options = conninfo_to_dict(database_url).get("options") or ""
    return make_conninfo(database_url, options=f"{options} -c search_path={SCHEMA}".strip())


async def make(database_url: str) -> None:
    """The schema as the migrations make it, empty, whatever was there before."""
    async with await OperatingConnection.connect(database_url) as connection:
        await drop(connection)
        await connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCHEMA)))
    await asyncio.to_thread(migrate, url_of(database_url))
    async with await OperatingConnection.connect(url_of(database_url)) as connection:
        await connection.execute(_CREATE_LOG)


async def drop(connection: Connection) -> None:
    """The schema is gone."""
    statement = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCHEMA))
    await connection.execute(statement)


async def lock(connection: Connection) -> None:
    """Nobody else rebuilds while this connection lives. Raises RebuildRunningError."""
    cursor = await connection.execute("select pg_try_advisory_lock(%s)", [LOCK])
    row = await cursor.fetchone()
    if row is None or not row[0]:
        raise RebuildRunningError("another rebuild is running on this database")


async def copy_log(connection: Connection, kafka_bootstrap: str) -> int:
    """Every record of the sources, to the table ``log``; answers how many."""
    count = 0
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for topic in PROCESSOR_SOURCES:
            async for found in log_reader.records(kafka_bootstrap, topic):
                record = log_reader.as_record(found)
                at, headers = record.position, msgspec.json.encode(dict(record.headers)).decode()
                await copy.write_row((
                    at.topic, at.partition, at.offset, record.key, headers, record.value,
                ))  # fmt: skip
                count += 1
    await connection.execute("analyze log")
    return count


async def stored_schema(database_url: str) -> str:
    """The schema that the service writes to."""
    async with await OperatingConnection.connect(database_url) as connection:
        return str(await value(connection, "select current_schema()"))


async def value(connection: Connection, statement: LiteralString | sql.Composed) -> Any:
    """The one value a statement answers."""
    row = await (await connection.execute(statement)).fetchone()
    return row[0] if row is not None else None
