"""An audit beside a worker: one moment of the tables, and what is in flight is no violation."""

import asyncio
import uuid

import pytest

from ports.work_items import UnroutedWebhook
from postgres.stores import PostgresRouting
from processor.ops import audit
from processor.ops.audit import gather
from processor.ops.invariants import check
from schemas.headers import RECEIVED_AT
from tests.support import database
from tests.support.builders import NOW, Log, object_of, payment, received
from tests.support.programs.folding import ONE, folded
from tests.support.programs.operating import Operating
from tests.support.programs.stream_worker import Group
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

_BLOCKED = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


async def test_a_batch_between_two_tables_is_no_violation(group: Group, own_database: str) -> None:
    """It is committed after the versions were read and before the payments are."""
    log = Log()
    await database.process(group.pool, log.create(ONE))
    paid = log.webhook(ONE, "succeeded")

    async def waits() -> bool:
        return await database.rows(group.pool, _BLOCKED) == [(1,)]

    async with database.batches(group.pool).transaction() as batch:
        known = await batch.load([received(paid)])
        await batch._connection.execute("lock table payments in access exclusive mode")
        auditing = asyncio.create_task(gather(group.bootstrap, own_database))
        await until(waits, 60)
        await batch.write(folded(paid, known=known), NOW)
    seen = await auditing
    found = check(seen)
    assert (found["S3"], found["S4"], found["S6"]) == ([], [], [])
    assert [v.version for v in seen.versions[ONE]] == [1]


async def test_what_nobody_has_acknowledged_is_in_flight(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the very first record of a partition on, where the group has committed no offset."""
    monkeypatch.setattr(audit, "APP_ID", f"payments-processor-{uuid.uuid4().hex}")
    await operating.publish(Log().create(payment()))
    seen = await gather(operating.group.bootstrap, operating.database_url, settle_s=60)
    assert seen.log
    assert seen.unacknowledged == seen.log


@pytest.mark.parametrize(("settle_s", "is_lag"), [(3600.0, False), (0.001, True)])
async def test_a_record_is_lag_once_it_had_time_to_settle(
    operating: Operating, *, settle_s: float, is_lag: bool
) -> None:
    """Younger ones are on their way; the brokers' times are in milliseconds."""
    await operating.publish(Log().create(payment()))
    seen = await gather(operating.group.bootstrap, operating.database_url, settle_s)
    assert (seen.lag > 0) is is_lag


@pytest.mark.parametrize(("retention_s", "is_read"), [(3600.0, True), (0.001, False)])
async def test_a_record_older_than_the_retention_needs_no_outcome(
    operating: Operating, *, retention_s: float, is_read: bool
) -> None:
    """What became of it may be forgotten."""
    (record,) = await operating.publish(Log().create(payment()))
    seen = await gather(operating.group.bootstrap, operating.database_url, retention_s=retention_s)
    assert (record.position in seen.log) is is_read


async def test_only_what_is_noted_as_published_has_to_be_there(
    group: Group, own_database: str
) -> None:
    """A version that is committed and not published yet is in flight."""
    published = await database.process(group.pool, Log().create(ONE))
    assert (await gather(group.bootstrap, own_database, settle_s=60)).due_versions == {}
    ids = {each.publication_id for each in published}
    await database.batches(group.pool).mark_published(ids, NOW)
    assert (await gather(group.bootstrap, own_database, settle_s=60)).due_versions == {ONE: 1}


@pytest.mark.parametrize(("known_for_s", "stuck"), [(0, 0), (3600, 1)])
async def test_a_webhook_is_stuck_only_after_its_payment_had_time_to_take_it(
    group: Group, own_database: str, known_for_s: int, stuck: int
) -> None:
    """It may have waited for days: what counts is how long its payment has been known."""
    log = Log()
    await database.process(group.pool, log.create(ONE), log.result(ONE))
    waiting = UnroutedWebhook(
        "evt_1", "stripe", object_of(ONE), {RECEIVED_AT: NOW.isoformat()}, b"", None
    )
    await PostgresRouting(group.pool).park([waiting], NOW)
    async with group.pool.connection() as connection:
        await connection.execute(
            "update payments set updated_at = now() - %s * interval '1 second'", [known_for_s]
        )
    seen = await gather(group.bootstrap, own_database, settle_s=60)
    assert seen.unrouted == stuck
