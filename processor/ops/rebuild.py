"""S7: state as the log alone makes it, beside the stored rows.

Everything recorded is decided again from nothing, by the same ``fold`` and the same SQL, in a
schema of its own, in the order in which it was decided at first. One transaction sees the stored
rows as of one moment, so the service may go on.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from decisions.fold import fold
from messaging import log_reader
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from postgres import batch
from postgres import rebuild as shadow
from postgres.batch import Decode
from postgres.deadlines import OperatingConnection
from postgres.rebuild import TABLES, Connection
from processor.ops.compare import Compared, compare
from schemas.topics import PROCESSOR_SOURCES

#: Inputs of one batch of the rebuild; what is in memory at a time.
CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of a rebuild."""

    #: Records of the log, and those of them that were decided again.
    records: int
    inputs: int
    #: Payments that the log can't tell of any more, or not in which order.
    not_checkable: int
    #: Payments quarantined at the moment: they are compared as of what was decided before.
    quarantined: int
    tables: tuple[Compared, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every row that could be checked is as it was rebuilt."""
        return not any(table.different for table in self.tables)


async def rebuild(
    kafka_bootstrap: str, database_url: str, decode: Decode, clock: Callable[[], datetime]
) -> Rebuilt:
    """Rebuilds and compares. The shadow schema is left behind where something differs.

    Raises RebuildRunningError, psycopg.Error, KafkaError.
    """
    async with await OperatingConnection.connect(database_url, autocommit=True) as guard:
        await shadow.lock(guard)
        await shadow.make(database_url)
        stored = await shadow.stored_schema(database_url)
        async with await OperatingConnection.connect(shadow.url_of(database_url)) as connection:
            await connection.execute(shadow.ONE_MOMENT)
            found = await _rebuild(connection, kafka_bootstrap, stored, decode, clock)
        if found.is_equal:
            await shadow.drop(guard)
    return found


async def _rebuild(
    connection: Connection,
    kafka_bootstrap: str,
    stored: str,
    decode: Decode,
    clock: Callable[[], datetime],
) -> Rebuilt:
    # the stored rows are those of the moment of this first statement
    quarantined = await shadow.count_quarantines(connection, stored)
    records = await shadow.copy_log(connection, _log(kafka_bootstrap))
    not_checkable = await shadow.note_not_checkable(connection, stored)
    inputs = 0
    async with connection.cursor(name="inputs") as cursor:
        await cursor.execute(shadow.inputs(stored))
        while rows := await cursor.fetchmany(CHUNK):
            await _decide(connection, rows, decode, clock())
            inputs += len(rows)
    tables = tuple([await compare(connection, stored, table) for table in TABLES])
    return Rebuilt(records, inputs, not_checkable, quarantined, tables)


async def _log(kafka_bootstrap: str) -> AsyncIterator[ConsumedRecord]:
    """Yields every record of the sources, topic by topic."""
    for topic in PROCESSOR_SOURCES:
        async for found in log_reader.records(kafka_bootstrap, topic):
            yield log_reader.as_record(found)


async def _decide(
    connection: Connection, rows: Sequence[tuple[Any, ...]], decode: Decode, now: datetime
) -> None:
    """Some inputs more. What can't be decoded any more is left out, and so is found to differ."""
    decoded = [decode(_record(*row)) for row in rows]
    received = [item for item in decoded if not isinstance(item, DeadLetter)]
    loaded = await batch.load(connection, received, decode, alone=True)
    await batch.write(connection, fold(loaded, received), now)


def _record(
    topic: str, partition: int, offset: int, key: bytes, headers: dict[str, str], value: bytes
) -> ConsumedRecord:
    return ConsumedRecord(RecordOffset(topic, partition, offset), key, value, headers, 0)
