"""S7: state as the log alone makes it, beside the stored rows.

Everything recorded is decided again from nothing, by the same ``fold`` and the same SQL, in a
schema of its own, in the order in which it was decided at first. One transaction sees the stored
rows as of one moment, so the service may go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import sql

from decisions.fold import fold
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from postgres import batch
from postgres.batch import Decode
from postgres.deadlines import OperatingConnection
from postgres.history import NEVER_CAME
from processor.ops import shadow_schema
from processor.ops.compare import TABLES, Compared, compare
from processor.ops.shadow_schema import Connection

#: Inputs of one batch of the rebuild; what is in memory at a time.
CHUNK: Final = 500

#: A record that is gone from the log, or was decided before the order was kept; an input that was
#: given up by its age; a payment whose beginning is so old that what became of it is forgotten.
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
        await shadow_schema.lock(guard)
        await shadow_schema.make(database_url)
        stored = await shadow_schema.stored_schema(database_url)
        async with await OperatingConnection.connect(
            shadow_schema.url_of(database_url)
        ) as connection:
            await connection.execute("set transaction isolation level repeatable read")
            found = await _rebuild(connection, kafka_bootstrap, stored, decode, clock)
        if found.is_equal:
            await shadow_schema.drop(guard)
    return found


async def _rebuild(
    connection: Connection,
    kafka_bootstrap: str,
    stored: str,
    decode: Decode,
    clock: Callable[[], datetime],
) -> Rebuilt:
    schema = sql.Identifier(stored)
    quarantined = await shadow_schema.value(
        connection, sql.SQL("select count(*) from {}.quarantines").format(schema)
    )  # from here on the stored rows are those of this moment
    records = await shadow_schema.copy_log(connection, kafka_bootstrap)
    await connection.execute(
        sql.SQL(_NOT_CHECKABLE).format(stored=schema, given_up=sql.Literal(NEVER_CAME))
    )
    inputs = 0
    async with connection.cursor(name="inputs") as cursor:
        await cursor.execute(sql.SQL(_INPUTS).format(stored=schema))
        while rows := await cursor.fetchmany(CHUNK):
            await _decide(connection, rows, decode, clock())
            inputs += len(rows)
    not_checkable = await shadow_schema.value(connection, "select count(*) from not_checkable")
    tables = tuple([await compare(connection, stored, table) for table in TABLES])
    return Rebuilt(records, inputs, not_checkable, quarantined, tables)


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
