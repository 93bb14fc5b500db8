"""Tables partitioned by time: deleting a quarter of a year's rows returns their disk at once.

A row is in the quarter of its ``recorded_at``. Partitions are made ahead of time and dropped when
all of their rows are old. ``<table>_rest``, the default partition, has the rows of quarters without
a partition: those recorded before somebody made it, and those that outlive theirs because they
still wait.

Event IDs and offsets are unique in each partition. Between partitions event IDs are because a batch
looks them up in all of them, under the lock of the one Kafka partition that can bring them again.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, Self

from psycopg import AsyncConnection, sql
from psycopg.errors import LockNotAvailable, QueryCanceled

from postgres.deadlines import OperatingConnection

Connection = AsyncConnection[tuple[Any, ...]]

#: An advisory lock: two workers make and drop partitions one after the other.
LOCK: Final = 7_236_120_574
#: The longest that these statements wait for a table, and the longest that each keeps others
#: waiting: the default partition may have many rows of a quarter.
WAIT_FOR_TABLE: Final = "1s"
LONGEST_STATEMENT: Final = "5s"


@dataclass(frozen=True, slots=True)
class PartitionedTable:
    """A table and the columns that are unique in each of its partitions."""

    name: str
    unique: tuple[str, ...]

    @property
    def rest(self) -> str:
        """The default partition."""
        return f"{self.name}_rest"

    def partition(self, quarter: "Quarter") -> str:
        """Returns the name of a quarter's partition."""
        return f"{self.name}_{quarter.year}q{quarter.number}"


INBOX: Final = PartitionedTable("inbox", ("event_id",))
DUPLICATES: Final = PartitionedTable("duplicates", ("topic", "partition", "offset"))
PARTITIONED: Final = (INBOX, DUPLICATES)


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """A quarter of a year, in UTC. ``number`` is 1 to 4."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """Returns the quarter of this time."""
        utc = moment.astimezone(UTC)
        return cls(utc.year, (utc.month + 2) // 3)

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number * 3 - 2, 1, tzinfo=UTC)

    @property
    def next(self) -> "Quarter":
        """The quarter after it."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    def until(self, last: "Quarter") -> "Iterable[Quarter]":
        """Yields the quarters from this one to ``last``."""
        quarter = self
        while quarter <= last:
            yield quarter
            quarter = quarter.next


_TRY_LOCK: Final = "select pg_try_advisory_xact_lock(%s)"
_SET_TIMEOUTS: Final = sql.SQL(
    "set local lock_timeout = {}; set local statement_timeout = {}"
).format(sql.Literal(WAIT_FOR_TABLE), sql.Literal(LONGEST_STATEMENT))
_TOO_LONG: Final = (LockNotAvailable, QueryCanceled)
_PARTITIONS: Final = """
    select c.relname, greatest(c.reltuples, 0)::bigint
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass(%s)"""

#: A new partition is filled before it is attached: the default partition may have rows of it.
_MAKE: Final[Sequence[LiteralString]] = (
    """create table {partition} (like {table} including defaults including constraints)
        with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)
    """,
    "create unique index on {partition} ({unique})",
    "lock table only {table} in share update exclusive mode",
    "lock table {rest} in access exclusive mode",
    """with moved as (delete from {rest} where recorded_at >= {start} and recorded_at < {end}
                      returning *)
       insert into {partition} select * from moved""",
    "alter table {table} attach partition {partition} for values from ({start}) to ({end})",
)
#: Locks the whole table first, as every statement does, so that there is no deadlock.
_LOCK: Final[LiteralString] = "lock table only {table} in access exclusive mode"
_DROP: Final[Sequence[LiteralString]] = (_LOCK, "drop table {partition}")
#: Inputs that wait stay, whatever they wait for, and so do all of a quarantined payment.
_DROP_BUT_KEEP: Final[Sequence[LiteralString]] = (
    _LOCK,
    """create temporary table kept on commit drop as
       select * from {partition} where outcome in ('parked', 'quarantined')
       union all
       select * from {partition} where outcome not in ('parked', 'quarantined')
           and payment_id = any(array(select payment_id from quarantines))""",
    "drop table {partition}",
    "insert into {table} select * from kept",
    "drop table kept",
)


async def make_between(database_url: str, first: datetime, last: datetime) -> list[str]:
    """Makes the missing partitions for rows recorded from ``first`` to ``last``, and one more.

    Rows that are there already are moved to theirs, however long that takes.
    """
    async with await OperatingConnection.connect(database_url) as connection:
        until = Quarter.of(last).next
        return await make_partitions(connection, Quarter.of(first), until, is_urgent=False)


async def make_ahead(connection: Connection, now: datetime) -> list[str]:
    """Makes the missing partitions of this quarter and the next. See ``make_partitions``."""
    quarter = Quarter.of(now)
    return await make_partitions(connection, quarter, quarter.next)


async def make_partitions(
    connection: Connection, first: Quarter, last: Quarter, *, is_urgent: bool = True
) -> list[str]:
    """Makes the missing partitions of these quarters. Returns their names.

    Makes none while another worker does, nor of a table that stays locked, or whose rows
    take too long to move: its turn comes again.
    """
    made: list[str] = []
    for table in PARTITIONED:
        with suppress(*_TOO_LONG):
            made += await _make_of(connection, table, first.until(last), is_urgent=is_urgent)
    return made


async def drop_partitions(connection: Connection, before: datetime) -> list[tuple[str, int]]:
    """Drops every partition of which all rows were recorded before then.

    Returns each one's table, and about how many rows it had. Drops none while another worker does,
    nor of a table that stays locked, or whose rows
    take too long to move: its turn comes again.
    """
    dropped: list[tuple[str, int]] = []
    for table in PARTITIONED:
        with suppress(*_TOO_LONG):
            dropped += [(table.name, rows) for rows in await _drop_of(connection, table, before)]
    return dropped


async def _make_of(
    connection: Connection,
    table: PartitionedTable,
    quarters: Iterable[Quarter],
    *,
    is_urgent: bool,
) -> list[str]:
    made: list[str] = []
    async with connection.transaction():
        if await _lock(connection, is_urgent=is_urgent):
            existing = {name for name, _ in await _partitions(connection, table)}
            for quarter in quarters:
                if (name := table.partition(quarter)) not in existing:
                    await _execute(connection, table, quarter, *_MAKE)
                    made.append(name)
    return made


async def _drop_of(connection: Connection, table: PartitionedTable, before: datetime) -> list[int]:
    dropped: list[int] = []
    async with connection.transaction():
        if await _lock(connection):
            statements = _DROP_BUT_KEEP if table is INBOX else _DROP
            for name, rows in await _partitions(connection, table):
                quarter = _quarter_of(table, name)
                if quarter is not None and quarter.next.start <= before:
                    await _execute(connection, table, quarter, *statements)
                    dropped.append(rows)
    return dropped


async def _lock(connection: Connection, *, is_urgent: bool = True) -> bool:
    """Locks out other workers until the transaction ends. Returns whether none had the lock.

    One table in a transaction: a batch that waits for one table may have locked the other.
    """
    if is_urgent:  # others wait
        await connection.execute(_SET_TIMEOUTS)
    cursor = await connection.execute(_TRY_LOCK, [LOCK])
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _partitions(connection: Connection, table: PartitionedTable) -> Sequence[tuple[str, int]]:
    cursor = await connection.execute(_PARTITIONS, [table.name])
    return [(row[0], row[1]) for row in await cursor.fetchall()]


def _quarter_of(table: PartitionedTable, partition: str) -> Quarter | None:
    """Returns the quarter of a partition; None for the default one."""
    year, _, number = partition.removeprefix(f"{table.name}_").partition("q")
    return Quarter(int(year), int(number)) if year.isdecimal() and number.isdecimal() else None


async def _execute(
    connection: Connection, table: PartitionedTable, quarter: Quarter, *statements: LiteralString
) -> None:
    names = {
        "table": sql.Identifier(table.name),
        "rest": sql.Identifier(table.rest),
        "partition": sql.Identifier(table.partition(quarter)),
        "unique": sql.SQL(", ").join(map(sql.Identifier, table.unique)),
        "start": sql.Literal(quarter.start),
        "end": sql.Literal(quarter.next.start),
    }
    for statement in statements:
        await connection.execute(sql.SQL(statement).format(**names))
