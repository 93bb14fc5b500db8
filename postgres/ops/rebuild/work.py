"""What a rebuild keeps until it is finished, in a schema of its own.

That is the parts with their results, and a copy of the log: the records of each part in compressed
blocks, in no order. All of it is unlogged: after a crash of Postgres the tables are empty, and a
rebuild begins again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection, sql

from ports.errors import RebuildRunningError
from postgres.ops.rebuild.parts import Part
from postgres.ops.rebuild.values import value

Connection = AsyncConnection[tuple[Any, ...]]

#: The schema of a rebuild of all payments, which goes on where it was interrupted.
ALL: Final = "rebuild_all"
#: The schema of a rebuild of some payments.
SOME: Final = "rebuild_some"
#: An advisory lock: two rebuilds would share a schema.
LOCK: Final = 7_236_120_573

_CREATE: Final = """
    create schema {work};
    create unlogged table {work}.run (begun_at timestamptz not null);
    create unlogged table {work}.parts (
        number integer primary key, first text not null, until text, payment_ids text[],
        result json);
    create unlogged table {work}.copied (
        topic text, partition integer, next bigint not null, primary key (topic, partition));
    create unlogged table {work}.log (part integer not null, records bytea not null);
    alter table {work}.log alter records set storage external;
    create index on {work}.log (part)"""
_INSERT_PARTS: Final = """
    insert into {work}.parts (number, first, until, payment_ids) values (%s, %s, %s, %s)"""
_COPY: Final = "copy {work}.log (part, records) from stdin (format binary)"
_NOTE_COPIED: Final = """
    insert into {work}.copied (topic, partition, next) values (%s, %s, %s)
    on conflict (topic, partition) do update set next = excluded.next"""
_COPIED: Final = "select topic, partition, next from {work}.copied"
_RECORDS: Final = "select records from {work}.log where part = %s"
_PARTS: Final = """
    select number, first, until, payment_ids from {work}.parts
    where result is null and number %% %s = %s order by number"""
_NOTE_RESULT: Final = "update {work}.parts set result = %s where number = %s"
_RESULTS: Final = """
    select result::text from {work}.parts where result is not null order by number"""
_COUNTS: Final = """
    select count(result), count(*), coalesce(sum((result->>'inputs')::bigint), 0)::bigint
    from {work}.parts"""


@dataclass(frozen=True, slots=True)
class Work:
    """The schema of one rebuild."""

    schema: str

    def _sql(self, text: str) -> sql.Composed:
        return sql.SQL(text).format(work=sql.Identifier(self.schema))

    async def begun_at(self, connection: Connection) -> datetime | None:
        """Returns when the rebuild that is kept here began; None if there is none."""
        table = f"{self.schema}.run"
        if await value(connection, "select to_regclass(%s)", [table]) is None:
            return None
        statement = self._sql("select begun_at from {work}.run")
        found: datetime | None = await value(connection, statement)
        return found

    async def make(self, connection: Connection, parts: Sequence[Part], now: datetime) -> None:
        """Makes the schema with these parts. An earlier one is dropped."""
        await self.drop(connection)
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.execute(self._sql(_CREATE))
            await cursor.executemany(
                self._sql(_INSERT_PARTS),
                [
                    (
                        p.number,
                        p.first,
                        p.until,
                        None if p.payment_ids is None else list(p.payment_ids),
                    )
                    for p in parts
                ],
            )
            await cursor.execute(self._sql("insert into {work}.run values (%s)"), [now])

    async def drop(self, connection: Connection) -> None:
        """Drops the schema and everything in it."""
        await connection.execute(self._sql("drop schema if exists {work} cascade"))

    async def add(
        self,
        connection: Connection,
        blocks: Sequence[tuple[int, bytes]],
        copied: Mapping[tuple[str, int], int],
    ) -> None:
        """Adds blocks of records by part, and the offsets up to which the log is copied now."""
        async with connection.transaction(), connection.cursor() as cursor:
            async with cursor.copy(self._sql(_COPY)) as copy:
                copy.set_types(["int4", "bytea"])
                for block in blocks:
                    await copy.write_row(block)
            await cursor.executemany(
                self._sql(_NOTE_COPIED), [(*place, offset) for place, offset in copied.items()]
            )

    async def copied(self, connection: Connection) -> dict[tuple[str, int], int]:
        """Returns, by topic and partition, the offset up to which the log is copied."""
        cursor = await connection.execute(self._sql(_COPIED))
        return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}

    async def blocks(self, connection: Connection, part: int) -> list[bytes]:
        """Returns the blocks of a part."""
        cursor = connection.cursor(binary=True)
        await cursor.execute(self._sql(_RECORDS), [part])
        return [row[0] for row in await cursor.fetchall()]

    async def unfinished(self, connection: Connection, share: int, shares: int) -> list[Part]:
        """Returns every ``shares``-th part, from the number ``share``, that has no result yet."""
        cursor = await connection.execute(self._sql(_PARTS), [shares, share])
        return [Part(*row) for row in await cursor.fetchall()]

    async def note_result(self, connection: Connection, part: int, result: str) -> None:
        """Keeps a part's result, in JSON: the part is finished."""
        await connection.execute(self._sql(_NOTE_RESULT), [result, part])

    async def results(self, connection: Connection) -> list[str]:
        """Returns the results of the finished parts."""
        cursor = await connection.execute(self._sql(_RESULTS))
        return [row[0] for row in await cursor.fetchall()]

    async def counts(self, connection: Connection) -> tuple[int, int, int]:
        """Returns how many parts are finished, of how many, and their inputs."""
        cursor = await connection.execute(self._sql(_COUNTS))
        (row,) = await cursor.fetchall()
        return row[0], row[1], row[2]


async def lock(connection: Connection) -> None:
    """Locks out other rebuilds for as long as this connection lives.

    Raises RebuildRunningError if another one is running.
    """
    if not await value(connection, "select pg_try_advisory_lock(%s)", [LOCK]):
        raise RebuildRunningError(
            "another rebuild is running on this database: only one can, be it of all payments or "
            "of some. Wait for it, or interrupt it; one of all payments goes on later where it "
            "stopped"
        )
