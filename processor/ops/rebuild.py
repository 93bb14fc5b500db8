"""S7: rebuilds the state from the log alone, and compares it with the stored rows.

It decides every recorded input again, in the original order, with the same ``fold`` and the same
SQL, in a schema of its own. One transaction sees the stored rows as of one moment, so the service
can keep running.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from decisions.fold import fold
from messaging import log_reader
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from postgres.batch import transaction as batch
from postgres.batch.transaction import Decode
from postgres.deadlines import OperatingConnection
from postgres.ops import rebuild as shadow
from postgres.ops.rebuild import TABLES, Connection
from processor.ops.compare import TableComparison, compare
from schemas.topics import PROCESSOR_SOURCES

#: Inputs per batch of the rebuild; this limits the memory used.
CHUNK_INPUTS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildResult:
    """The result of a rebuild."""

    #: Records in the log, and how many of them were decided again.
    records: int
    inputs: int
    #: Payments for which the log or the order of decisions is incomplete.
    not_checkable: int
    #: Payments now in quarantine. They are compared without the inputs that wait.
    quarantined: int
    tables: tuple[TableComparison, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every stored row that could be checked equals the rebuilt one."""
        return not any(table.different for table in self.tables)


async def rebuild(
    kafka_bootstrap: str, database_url: str, decode: Decode, clock: Callable[[], datetime]
) -> RebuildResult:
    """Rebuilds and compares. The shadow schema is kept if something differs.

    Args:
        kafka_bootstrap: the brokers.
        database_url: Postgres.
        decode: decodes a record.
        clock: the current time in UTC.

    Raises:
        RebuildRunningError: another rebuild is running on this database.
        psycopg.Error, KafkaError: Postgres or the brokers are unavailable.
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
) -> RebuildResult:
    # the stored rows are those of the moment of this first statement
    quarantined = await shadow.count_quarantines(connection, stored)
    records = await shadow.copy_log(connection, _log(kafka_bootstrap))
    not_checkable = await shadow.note_not_checkable(connection, stored)
    inputs = 0
    async with connection.cursor(name="inputs") as cursor:
        await cursor.execute(shadow.inputs(stored))
        while rows := await cursor.fetchmany(CHUNK_INPUTS):
            await _decide(connection, rows, decode, clock())
            inputs += len(rows)
    tables = tuple([await compare(connection, stored, table) for table in TABLES])
    return RebuildResult(
        records=records,
        inputs=inputs,
        not_checkable=not_checkable,
        quarantined=quarantined,
        tables=tables,
    )


async def _log(kafka_bootstrap: str) -> AsyncIterator[ConsumedRecord]:
    """Yields every record of the sources, topic by topic."""
    for topic in PROCESSOR_SOURCES:
        async for found in log_reader.records(kafka_bootstrap, topic):
            yield log_reader.as_record(found)


async def _decide(
    connection: Connection, rows: Sequence[tuple[Any, ...]], decode: Decode, now: datetime
) -> None:
    """Decides a batch of inputs. Undecodable ones are skipped, so they show up as differences."""
    decoded = [decode(_record(*row)) for row in rows]
    received = [item for item in decoded if not isinstance(item, DeadLetter)]
    loaded = await batch.load(connection, received, decode, alone=True)
    await batch.write(connection, fold(loaded, received), now)


def _record(
    topic: str, partition: int, offset: int, key: bytes, headers: dict[str, str], value: bytes
) -> ConsumedRecord:
    return ConsumedRecord(
        position=RecordOffset(topic, partition, offset),
        key=key,
        value=value,
        headers=headers,
        timestamp_ms=0,
    )
