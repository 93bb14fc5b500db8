"""An audit of a running system reads one snapshot of the tables and accepts work in flight."""

import asyncio
import uuid

import pytest

from ports.work_items import UnroutedWebhook
from postgres.stores import PostgresRouting
from processor.ops.audit import topics
from processor.ops.invariants import check
from schemas.headers import RECEIVED_AT
from tests.support import database
from tests.support.builders import NOW, Log, object_of, payment, received
from tests.support.programs.folding import ONE, folded
from tests.support.programs.gathering import gather
from tests.support.programs.operating import Operating
from tests.support.programs.stream_worker import Group
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

_BLOCKED = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


async def test_a_batch_that_commits_during_an_audit_is_no_violation(
    group: Group, own_database: str
) -> None:
    """It commits after the versions were read and before the payments are read."""
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
    evidence = await auditing
    found = check(evidence)
    assert (found["S3"], found["S4"], found["S6"]) == ([], [], [])
    assert [v.version for v in evidence.versions[ONE]] == [1]


async def test_unacknowledged_records_are_in_flight(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the first record of a partition, for which the group has committed no offset."""
    monkeypatch.setattr(topics, "APP_ID", f"payments-processor-{uuid.uuid4().hex}")
    await operating.publish(Log().create(payment()))
    evidence = await gather(operating.group.bootstrap, operating.database_url, settle_s=60)
    assert evidence.log
    assert evidence.unacknowledged == evidence.log


@pytest.mark.parametrize(("settle_s", "is_lag"), [(3600.0, False), (0.001, True)])
async def test_a_record_is_lag_once_it_had_time_to_settle(
    operating: Operating, *, settle_s: float, is_lag: bool
) -> None:
    """Younger records are still in flight. The brokers' timestamps are in milliseconds."""
    await operating.publish(Log().create(payment()))
    evidence = await gather(operating.group.bootstrap, operating.database_url, settle_s)
    assert (evidence.lag > 0) is is_lag


@pytest.mark.parametrize(("retention_s", "is_read"), [(3600.0, True), (0.001, False)])
async def test_a_record_older_than_the_retention_needs_no_outcome(
    operating: Operating, *, retention_s: float, is_read: bool
) -> None:
    """Its outcome may already be deleted."""
    (record,) = await operating.publish(Log().create(payment()))
    bootstrap, database_url = operating.group.bootstrap, operating.database_url

    async def is_as_old_as_expected() -> bool:
        evidence = await gather(bootstrap, database_url, retention_s=retention_s)
        return (record.position in evidence.log) is is_read

    await until(is_as_old_as_expected, within_s=10)


async def test_only_versions_marked_as_published_must_be_on_the_topic(
    group: Group, own_database: str
) -> None:
    """A committed version that is not published yet is in flight, the first and every later one."""
    log = Log()
    published = await database.process(group.pool, log.create(ONE))
    assert (await gather(group.bootstrap, own_database, settle_s=60)).due_versions == {}
    ids = {each.publication_id for each in published}
    await database.batches(group.pool).mark_published(ids, NOW)
    assert (await gather(group.bootstrap, own_database, settle_s=60)).due_versions == {ONE: 1}
    await database.process(group.pool, log.webhook(ONE, "succeeded"))
    assert (await gather(group.bootstrap, own_database, settle_s=60)).due_versions == {ONE: 1}


@pytest.mark.parametrize(("known_for_s", "stuck"), [(0, 0), (3600, 1)])
async def test_a_webhook_is_stuck_only_after_its_payment_had_time_to_take_it(
    group: Group, own_database: str, known_for_s: int, stuck: int
) -> None:
    """What counts is how long its payment has been known, not how long the webhook has waited."""
    log = Log()
    await database.process(group.pool, log.create(ONE), log.result(ONE))
    waiting = UnroutedWebhook(
        event_id="evt_1",
        provider="stripe",
        object_id=object_of(ONE),
        headers={RECEIVED_AT: NOW.isoformat()},
        value=b"",
        payment_id=None,
    )
    await PostgresRouting(group.pool).park([waiting], NOW)
    async with group.pool.connection() as connection:
        await connection.execute(
            "update payments set updated_at = now() - %s * interval '1 second'", [known_for_s]
        )
    evidence = await gather(group.bootstrap, own_database, settle_s=60)
    assert evidence.unrouted == stuck
