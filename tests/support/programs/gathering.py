"""The whole evidence of a small system at once. ``payments audit`` reads it range by range."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ports.records import RecordOffset
from postgres.deadlines import BlockingConnection, OperatingConnection
from postgres.ops import audit as sql
from processor.ops.audit import run, tables, topics
from processor.ops.audit.ranges import Ranges
from processor.ops.audit.run import Connection
from processor.ops.audit.tables import Times
from processor.ops.invariants import Evidence
from processor.ops.ledger import Ledger
from processor.ops.progress import ignore
from schemas.topics import PROCESSOR_SOURCES


async def gather(
    bootstrap: str, database_url: str, settle_s: float = 0.0, retention_s: float | None = None
) -> Evidence:
    """Reads the tables and topics into memory, in the order in which an audit does.

    Args:
        bootstrap: the brokers.
        database_url: Postgres.
        settle_s: rows younger than this many seconds may be in flight. 0: the system is at rest.
        retention_s: the history of inputs older than this many seconds may be deleted.
    """
    times = run.Scope(settle_s=settle_s, retention_s=retention_s).times(datetime.now(UTC))
    ledger = Ledger()
    connecting = OperatingConnection.connect(database_url, autocommit=True)
    with TemporaryDirectory() as folder:
        async with await connecting as connection:
            ranges = Ranges(Path(folder), [""])
            times = await run.answering(connection, times)
            if times.is_live:
                await run.mark(connection, ranges, "")
            acknowledged = await topics.acknowledged(bootstrap)
            lag = await topics.read_log(bootstrap, acknowledged, ledger, times, times.kept, ignore)
            await topics.read_published(bootstrap, ranges, tables.NEVER, ignore)
            found = await with_tables(connection, ranges, times)
    waiting = frozenset(ledger.waiting)
    return replace(found, log=frozenset(ledger.logged) | waiting, unacknowledged=waiting, lag=lag)


async def with_tables(connection: Connection, ranges: Ranges, times: Times) -> Evidence:
    """All rows, as one range."""
    (whole,) = ranges
    ranges.write()
    blocking = BlockingConnection.connect(connection.info.dsn, password=connection.info.password)
    with blocking as reading:
        found = await asyncio.to_thread(tables.read, reading, whole, ranges.take(whole), times)
    waiting = await run.waiting(connection, times, 0)
    return replace(
        found,
        duplicates=await _positions(connection, sql.DUPLICATES),
        dead_letters=await _positions(connection, sql.DEAD_LETTERS),
        unpublished=waiting.unpublished,
        unrouted=waiting.unrouted,
    )


async def _positions(connection: Connection, statement: str) -> list[RecordOffset]:
    cursor = await connection.execute(statement.encode(), {"since": tables.NEVER})
    found = [RecordOffset(*row) for row in await cursor.fetchall()]
    return [each for each in found if each.topic in PROCESSOR_SOURCES]
