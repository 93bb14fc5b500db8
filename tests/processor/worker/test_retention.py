"""The history of old inputs is deleted; payments stay unchanged."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from psycopg import sql

from postgres.partitions import INBOX, Quarter
from postgres.stores import Pool, PostgresHistory
from processor.worker import retention
from processor.worker.metrics import WorkerMetrics
from processor.worker.retention import Retention
from schemas.settings import WorkerSettings
from tests.support import database
from tests.support.builders import NOW, Clock, Log, event_body, payment
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio

DAY = 86_400.0
#: Longer than a quarter.
RETENTION_S = 100 * DAY
#: Seconds until all of this quarter is older.
QUARTER_IS_OLD = (Quarter.of(NOW).next.start - NOW).total_seconds() + RETENTION_S
Sweep = Callable[[], Awaitable[None]]


@pytest.fixture
def registry() -> CollectorRegistry:
    """The metrics' registry."""
    return CollectorRegistry()


@pytest.fixture
async def sweep(pool: Pool, clock: Clock, registry: CollectorRegistry) -> AsyncIterator[Sweep]:
    """Yields the sweep of a loop with a retention that is longer than a quarter.

    Afterwards the present gets its partitions back.
    """
    settings, store = WorkerSettings(history_retention_s=RETENTION_S), PostgresHistory(pool)
    yield Retention(store, settings, WorkerMetrics(registry), clock).sweep
    await store.make_partitions(NOW)


async def count(pool: Pool, table: str) -> int:
    """Returns the number of rows of a table."""
    statement = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
    ((rows,),) = await database.rows(pool, statement)
    return int(rows)


async def test_old_history_is_deleted_and_the_payment_stays(
    pool: Pool, sweep: Sweep, clock: Clock, registry: CollectorRegistry
) -> None:
    """A quarter is deleted when all of it is old. Payments, versions and calls are kept."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    async with pool.connection() as connection:
        await connection.execute("analyze inbox")
    before = await database.everything(pool)
    clock.forward(QUARTER_IS_OLD - 0.001)
    await sweep()
    assert await database.everything(pool) == before
    clock.forward(0.001)
    await sweep()
    assert await database.everything(pool) == {**before, "inbox": []}
    counted = {"table": "inbox"}
    assert registry.get_sample_value("payments_history_deleted_rows_total", counted) == 2


async def test_a_retention_shorter_than_a_quarter_deletes_rows(pool: Pool, clock: Clock) -> None:
    """Not before their time, and without waiting for the end of the quarter."""
    settings = WorkerSettings(history_retention_s=DAY)
    loop = Retention(PostgresHistory(pool), settings, WorkerMetrics(CollectorRegistry()), clock)
    log = Log()
    create = log.create(ONE)
    early = log.webhook(TWO, "canceled")
    await database.process(pool, create, log.webhook(ONE, "succeeded"), early)
    await database.process(pool, log.again(create))
    async with pool.connection() as connection:
        await connection.execute(
            "insert into quarantines values (%s, 'evt_0', 'ValueError: our own', %s)", [TWO, NOW]
        )
    clock.forward(DAY)
    await loop.sweep()
    assert (await count(pool, "inbox"), await count(pool, "duplicates")) == (3, 1)
    clock.forward(0.001)
    await loop.sweep()
    assert await database.rows(pool, "select payment_id from inbox") == [(TWO,)]
    assert await count(pool, "duplicates") == 0


async def test_a_sweep_makes_partitions_ahead(pool: Pool, sweep: Sweep, clock: Clock) -> None:
    """Of its quarter and the next: a row that waited in the rest would never leave with one."""
    await PostgresHistory(pool).drop_partitions(datetime.max.replace(tzinfo=UTC))
    clock.forward(QUARTER_IS_OLD)
    await sweep()
    quarter = Quarter.of(clock.now)
    wanted = [INBOX.partition(quarter), INBOX.partition(quarter.next)]
    made = "select relname from pg_class where relname = any(%s) and relispartition order by 1"
    assert await database.rows(pool, made, wanted) == [(name,) for name in wanted]


async def test_every_history_is_swept(pool: Pool, sweep: Sweep, clock: Clock) -> None:
    """Duplicates, dead letters and ignored webhooks are deleted like the inbox."""
    async with pool.connection() as connection:
        for number in range(3):
            await connection.execute(
                "insert into duplicates values ('t', 0, %s, 'evt', 'pay', now(), %s)",
                [number, NOW],
            )
            await connection.execute(
                "insert into dead_letters values ('t', 0, %s, 'why', %s)", [number, NOW]
            )
            await connection.execute(
                "insert into ignored_webhooks values (%s, 'stripe', 'payout.paid', 'why', %s, %s)",
                [str(number), NOW, NOW],
            )
            await connection.execute(
                "insert into published_parts values (%s, %s)", [str(number), NOW]
            )
            await connection.execute(
                """insert into notices values
                   (%s, 'stripe', 'a.kind', null, %s, %s, 1, null, null, 'looked', 'why')""",
                [str(number), NOW, NOW],
            )
    clock.forward(QUARTER_IS_OLD + 1)
    await sweep()
    histories = ("duplicates", "dead_letters", "ignored_webhooks", "published_parts", "notices")
    assert [await count(pool, table) for table in histories] == [0, 0, 0, 0, 0]


async def test_a_notice_that_is_not_followed_yet_is_never_deleted(
    pool: Pool, sweep: Sweep, clock: Clock
) -> None:
    """However old it is."""
    async with pool.connection() as connection:
        await connection.execute(
            "insert into notices values ('evt', 'stripe', 'a.kind', null, %s, %s, 1, %s)",
            [NOW, NOW, NOW],
        )
    clock.forward(QUARTER_IS_OLD + 1)
    await sweep()
    assert await count(pool, "notices") == 1


async def test_what_waits_for_an_operator_is_never_deleted(
    pool: Pool, sweep: Sweep, clock: Clock
) -> None:
    """The input of a quarantined payment stays; the parked input of an unknown one is deleted."""
    log = Log()
    await database.process(pool, log.webhook(ONE, "succeeded"), log.webhook(TWO, "succeeded"))
    async with pool.connection() as connection:
        await connection.execute(
            "insert into quarantines values (%s, 'evt_0', 'ValueError: our own', %s)", [ONE, NOW]
        )
    clock.forward(QUARTER_IS_OLD + 1)
    await sweep()
    assert await database.rows(pool, "select payment_id from inbox") == [(ONE,)]
    async with pool.connection() as connection:
        await connection.execute("delete from quarantines")
    await sweep()
    assert await database.rows(pool, "select payment_id from inbox") == []


async def test_an_input_whose_payment_never_came_is_given_up(
    pool: Pool, clock: Clock, registry: CollectorRegistry
) -> None:
    """Not before its time. Its bytes are deleted, and a payment created later does not change that.

    A command becomes rejected, a webhook ignored. Inputs of a quarantined payment stay parked.
    """
    settings = WorkerSettings(parked_max_age_s=DAY)
    loop = Retention(PostgresHistory(pool), settings, WorkerMetrics(registry), clock)
    quarantined, log = payment("quarantined"), Log()
    await database.process(
        pool,
        log.webhook(ONE, "succeeded"),
        log.webhook(TWO, "canceled"),
        log.webhook(quarantined, "processing"),
    )
    async with pool.connection() as connection:
        await connection.execute(
            "update inbox set topic = 'payment-commands' where payment_id = %s", [TWO]
        )
        await connection.execute(
            "insert into quarantines values (%s, 'evt_0', 'ValueError: our own', %s)",
            [quarantined, NOW],
        )
    clock.forward(DAY)
    await loop.sweep()
    assert await outcomes(pool) == {ONE: "parked", TWO: "parked", quarantined: "parked"}
    clock.forward(0.001)
    await loop.sweep()
    assert await outcomes(pool) == {ONE: "ignored", TWO: "rejected", quarantined: "parked"}
    kept = "select value, reason from inbox where payment_id = any(%s)"
    assert set(await database.rows(pool, kept, [ONE, TWO])) == {(None, "its payment never came")}
    assert registry.get_sample_value("payments_parked_expired_total") == 2

    await database.process(pool, log.create(ONE))
    assert await database.rows(pool, "select status, version from payments") == [("CREATED", 1)]
    assert await outcomes(pool) == {ONE: "ignored", TWO: "rejected", quarantined: "parked"}


async def test_an_input_whose_payment_is_here_is_never_given_up(pool: Pool) -> None:
    """It waits for the proof of its object, and has its bytes until then."""
    log = Log()
    unproved = {**event_body(ONE, "succeeded", "evt_unproved"), "request": None}
    early = log.event(ONE, unproved)
    await database.process(pool, log.create(ONE), early)
    assert await PostgresHistory(pool).give_up_parked(NOW + timedelta(days=1000), 100) == 0
    await database.process(pool, log.result(ONE))
    assert await database.rows(pool, "select status from payments") == [("SUCCEEDED",)]


@pytest.mark.parametrize("retention_s", [DAY, RETENTION_S])
async def test_what_waits_for_the_proof_of_its_object_is_never_deleted(
    pool: Pool, clock: Clock, retention_s: float
) -> None:
    """However long the provider keeps the answer to the create back. Then it is applied."""
    settings = WorkerSettings(history_retention_s=retention_s)
    store, log = PostgresHistory(pool), Log()
    loop = Retention(store, settings, WorkerMetrics(CollectorRegistry()), clock)
    unproved = {**event_body(ONE, "succeeded", "evt_unproved"), "request": None}
    await database.process(pool, log.create(ONE), log.event(ONE, unproved))
    clock.forward(QUARTER_IS_OLD + 1)
    for _ in range(2):
        await loop.sweep()
    assert await database.rows(pool, "select event_id from inbox") == [("evt_unproved",)]
    await database.process(pool, log.result(ONE))
    assert await database.rows(pool, "select status from payments") == [("SUCCEEDED",)]
    await store.make_partitions(NOW)


async def outcomes(pool: Pool) -> dict[str, str]:
    """Returns the outcomes of the webhooks, by payment."""
    statement = "select payment_id, outcome from inbox where kind <> 'command.create'"
    return dict(await database.rows(pool, statement))


async def test_an_event_deleted_from_the_inbox_changes_nothing_when_it_comes_again(
    pool: Pool, sweep: Sweep, clock: Clock
) -> None:
    """The payment already contains it: it is stale or a duplicate, and creates no version."""
    log = Log()
    inputs = [log.create(ONE), log.webhook(ONE, "processing"), log.webhook(ONE, "succeeded")]
    await database.process(pool, *inputs)
    versions = await database.rows(pool, "select version, status from payment_versions order by 1")
    clock.forward(QUARTER_IS_OLD + 1)
    await sweep()
    assert await count(pool, "inbox") == 0
    assert await database.process(pool, *inputs) == []
    outcomes = await database.rows(pool, "select outcome from inbox order by recorded_at, kind")
    assert {outcome for (outcome,) in outcomes} <= {"duplicate", "stale"}
    assert versions == await database.rows(
        pool, "select version, status from payment_versions order by 1"
    )


async def test_rows_are_deleted_a_few_at_a_time_and_the_oldest_first(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No statement locks many rows. Locked rows are skipped."""
    monkeypatch.setattr(retention, "CHUNK_ROWS", 2)
    store, deleted = PostgresHistory(pool), list[int]()
    async with pool.connection() as connection:
        for number in range(5):
            await connection.execute(
                "insert into dead_letters values ('t', 0, %s, 'why', %s)",
                [number, NOW + timedelta(seconds=number)],
            )

    class Watched(PostgresHistory):
        histories: Sequence[str] = ("dead_letters",)
        partitioned: Sequence[str] = ()

        async def delete_history(self, *args: object, **kwargs: object) -> int:
            count_deleted = await store.delete_history(*args, **kwargs)  # type: ignore[arg-type]  # passed on
            deleted.append(count_deleted)
            return count_deleted

    clock.forward(DAY + 10)
    settings = WorkerSettings(history_retention_s=DAY)
    loop = Retention(Watched(pool), settings, WorkerMetrics(CollectorRegistry()), clock)
    async with pool.connection() as other:
        await other.execute('select * from dead_letters where "offset" = 0 for update')
        await loop.sweep()
        assert deleted == [2, 2, 0]
        assert await database.rows(pool, 'select "offset" from dead_letters') == [(0,)]
