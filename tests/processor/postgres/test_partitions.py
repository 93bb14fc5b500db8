"""Large tables are partitioned by quarter, and nobody waits long for it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from ports.records import ConsumedRecord
from postgres import partitions
from postgres.partitions import Quarter
from postgres.stores import Pool, PostgresHistory
from tests.support import database
from tests.support.builders import NOW, Log, payment
from tests.support.programs.folding import ONE, TWO, fail_on

pytestmark = pytest.mark.anyio

THIS = Quarter.of(NOW)
AFTER = THIS.next.start
PARTITIONS = """
    select relname from pg_class
    where relispartition and relkind = 'r' and starts_with(relname, 'inbox') order by 1"""


@pytest.fixture
async def history(pool: Pool) -> AsyncIterator[PostgresHistory]:
    """The store, with the partitions of the present and no other, also afterwards."""
    store = PostgresHistory(pool)
    for again in (True, False):
        await store.drop_partitions(datetime.max.replace(tzinfo=UTC))
        await store.make_partitions(NOW)
        if again:
            yield store


async def names(pool: Pool) -> list[str]:
    """The inbox's partitions."""
    return [name for (name,) in await database.rows(pool, PARTITIONS)]


@pytest.mark.parametrize(
    ("moment", "quarter"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), Quarter(2026, 1)),
        (datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC), Quarter(2026, 1)),
        (datetime(2026, 12, 31, tzinfo=UTC), Quarter(2026, 4)),
    ],
)
def test_a_quarter_is_of_the_time_in_utc(moment: datetime, quarter: Quarter) -> None:
    """The last one of a year is followed by the first of the next."""
    assert Quarter.of(moment) == quarter
    assert quarter.start <= moment < quarter.next.start
    assert Quarter.of(quarter.next.start - timedelta(microseconds=1)) == quarter


async def test_the_next_partition_is_made_ahead(pool: Pool, history: PostgresHistory) -> None:
    """Of this quarter and the next, once."""
    before = await names(pool)
    assert before == ["inbox_2026q1", "inbox_2026q2", "inbox_rest"]
    await history.make_partitions(NOW)
    assert await names(pool) == before
    await history.make_partitions(AFTER)
    assert await names(pool) == [*before[:2], "inbox_2026q3", "inbox_rest"]


async def test_rows_without_a_partition_move_to_theirs_when_it_is_made(
    pool: Pool, history: PostgresHistory
) -> None:
    """Until then they are in the rest, where they are known like all others."""
    await history.drop_partitions(datetime.max.replace(tzinfo=UTC))
    log = Log()
    create = log.create(ONE)
    await database.process(pool, create)
    assert await database.rows(pool, "select payment_id from inbox_rest") == [(ONE,)]
    await history.make_partitions(NOW)
    assert await database.rows(pool, "select payment_id from inbox_rest") == []
    assert await database.rows(pool, "select payment_id from inbox_2026q1") == [(ONE,)]
    assert len((await database.load(pool, create)).known) == 1


async def test_rows_of_two_quarters_move_to_their_own(pool: Pool, history: PostgresHistory) -> None:
    """As after half a year in which nobody made a partition."""
    await history.drop_partitions(datetime.max.replace(tzinfo=UTC))
    log = Log()
    await database.process(pool, log.create(ONE))
    await PostgresLater(pool, AFTER).process(log.create(TWO))
    assert len(await database.rows(pool, "select from inbox_rest")) == 2
    await history.make_partitions(NOW)
    assert await database.rows(pool, "select payment_id from inbox_2026q1") == [(ONE,)]
    assert await database.rows(pool, "select payment_id from inbox_2026q2") == [(TWO,)]


async def test_dropping_a_quarter_returns_its_disk(pool: Pool, history: PostgresHistory) -> None:
    """Its table is gone at once. What an operator has not decided moves to the rest."""
    log = Log()
    third = payment("third")
    await database.process(
        pool, log.create(ONE), log.webhook(ONE, "succeeded"), log.webhook(third, "succeeded")
    )
    async with pool.connection() as connection:
        await connection.execute(
            "insert into quarantines values (%s, 'evt_0', 'ValueError: our own', %s)", [third, NOW]
        )
    assert await history.drop_partitions(AFTER - timedelta(microseconds=1)) == []
    dropped = await history.drop_partitions(AFTER)
    assert [table for table, _ in dropped] == ["inbox", "duplicates"]
    assert await names(pool) == ["inbox_2026q2", "inbox_rest"]
    assert await database.rows(pool, "select payment_id from inbox") == [(third,)]


async def test_a_quarter_with_a_quarantined_input_is_dropped(
    pool: Pool, history: PostgresHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The input, and what waits behind it, move to the rest with their bytes, each once."""
    log = Log()
    fail_on(monkeypatch, ONE, ["evt_bad"])
    bad, behind = log.webhook(ONE, "processing", "evt_bad"), log.webhook(ONE, "succeeded")
    await database.process(pool, log.create(ONE), bad, behind)
    waiting = """select outcome, "offset", value from inbox
        where outcome in ('parked', 'quarantined') order by "offset\""""
    assert await database.rows(pool, waiting) == [
        ("quarantined", 0, bad.value), ("parked", 1, behind.value)
    ]  # fmt: skip
    before = await database.rows(pool, waiting)
    await history.drop_partitions(AFTER)
    assert await names(pool) == ["inbox_2026q2", "inbox_rest"]
    assert await database.rows(pool, waiting) == before


@pytest.mark.usefixtures("history")
async def test_an_event_is_known_in_every_partition(pool: Pool) -> None:
    """A duplicate in a later quarter is a duplicate, and is recorded once."""
    log = Log()
    create = log.create(ONE)
    await database.process(pool, create)
    later = PostgresLater(pool, AFTER)
    again = log.again(create)
    await later.process(again)
    assert await database.rows(pool, "select count(*) from inbox") == [(1,)]
    assert await database.rows(pool, "select count(*) from duplicates") == [(1,)]
    await PostgresLater(pool, AFTER.replace(year=2027)).process(again)
    assert await database.rows(pool, "select count(*) from duplicates") == [(1,)]


class PostgresLater:
    """Batches that are recorded at a later time."""

    def __init__(self, pool: Pool, now: datetime) -> None:
        self._pool = pool
        self._now = now

    async def process(self, *records: ConsumedRecord) -> None:
        """Processes one batch up to its commit."""
        plan = await database.plan_of(self._pool, *records)
        async with database.batches(self._pool).transaction() as transaction:
            await transaction.write(plan, self._now)


@pytest.mark.parametrize("step", ["make", "drop"])
async def test_a_locked_table_is_left_for_the_next_time(
    pool: Pool, history: PostgresHistory, step: str
) -> None:
    """Nothing is changed, nobody waits longer than for a second, and the next attempt succeeds."""

    async def change() -> None:
        await (history.make_partitions if step == "make" else history.drop_partitions)(AFTER)

    before = await names(pool)
    async with pool.connection() as other:
        await other.execute("lock table inbox in access share mode")
        await other.execute("lock table inbox_rest in access share mode")
        async with asyncio.timeout(5):
            await change()
        assert await names(pool) == before
    await change()
    assert await names(pool) != before


async def test_one_worker_at_a_time_changes_partitions(
    pool: Pool, history: PostgresHistory
) -> None:
    """Another one changes nothing meanwhile, and does not wait."""
    before = await names(pool)
    async with pool.connection() as other:
        await other.execute("select pg_advisory_xact_lock(%s)", [partitions.LOCK])
        async with asyncio.timeout(5):
            assert await history.drop_partitions(AFTER) == []
            await history.make_partitions(AFTER)
    assert await names(pool) == before


async def test_the_next_user_of_the_connection_has_no_time_limit(
    pool: Pool, history: PostgresHistory
) -> None:
    """The short limits are for the change of partitions alone."""
    await history.make_partitions(AFTER)
    await history.drop_partitions(AFTER)
    limits = "select current_setting('lock_timeout'), current_setting('statement_timeout')"
    assert await database.rows(pool, limits) == [("0", "0")]


async def test_rows_that_take_too_long_to_move_stay_where_they_are(
    pool: Pool, history: PostgresHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker gives up and nobody waits; migrations take the time that it takes."""
    await history.drop_partitions(datetime.max.replace(tzinfo=UTC))
    log = Log()
    await database.process(pool, log.create(ONE), log.create(TWO))
    slow = """create function slow() returns trigger language plpgsql as
              'begin perform pg_sleep(0.2); return old; end'"""
    trigger = """create trigger slow before delete on inbox_rest for each row
                 execute function slow()"""
    async with pool.connection() as connection:
        await connection.execute(slow)
        await connection.execute(trigger)
    brief = sql.SQL("set local lock_timeout = '1s'; set local statement_timeout = '100ms'")
    monkeypatch.setattr(partitions, "_SET_TIMEOUTS", brief)
    await history.make_partitions(NOW)
    assert await names(pool) == ["inbox_rest"]
    async with pool.connection() as connection:
        await partitions.make_partitions(connection, THIS, THIS.next, is_urgent=False)
        await connection.execute("drop trigger slow on inbox_rest; drop function slow")
    assert await names(pool) == ["inbox_2026q1", "inbox_2026q2", "inbox_rest"]
    assert await database.rows(pool, "select payment_id from inbox_rest") == []


@pytest.mark.parametrize("step", ["make", "drop"])
async def test_batches_go_on_while_partitions_change(
    pool: Pool, history: PostgresHistory, step: str
) -> None:
    """Making and dropping partitions ends no transaction of a batch."""
    log = Log()
    await database.process(pool, log.create(ONE), log.create(TWO))
    done = asyncio.Event()

    async def batches() -> int:
        count = 0
        while not done.is_set():
            await database.process(pool, log.webhook(ONE, "processing"))
            count += 1
        return count

    writing = asyncio.create_task(batches())
    moment = AFTER
    for _ in range(8):
        await history.make_partitions(moment)
        if step == "drop":
            await history.drop_partitions(moment.replace(year=moment.year - 1))
        moment = Quarter.of(moment).next.start
    done.set()
    assert await writing > 0
