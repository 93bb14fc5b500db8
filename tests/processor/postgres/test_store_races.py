"""Two workers on one payment, on a real Postgres: neither overwrites what the other wrote."""

import asyncio

import pytest

from ports.batch import ReadSet, WriteSet
from ports.errors import BatchConflictError, KeyTakenError
from ports.records import ConsumedRecord
from postgres.stores import Pool
from tests.support import database
from tests.support.builders import NOW, Log, received
from tests.support.programs.folding import ONE, TWO, folded
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

_BLOCKED = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


async def test_a_plan_from_an_older_version_is_a_conflict(pool: Pool) -> None:
    """Nothing of the plan is written, not even for other payments."""
    log = Log()
    await database.process(pool, log.create(ONE), log.result(ONE))
    confirming = log.webhook(ONE, "processing")
    stale = await database.plan_of(pool, confirming, log.create(TWO))
    assert {v.payment.id for v in stale.versions} == {TWO}
    await database.process(pool, log.webhook(ONE, "succeeded"))
    before = await database.everything(pool)
    with pytest.raises(BatchConflictError):
        await database.write(pool, stale)
    assert await database.everything(pool) == before


async def test_a_version_another_worker_made_meanwhile_is_a_taken_key(pool: Pool) -> None:
    """The plan has a version with the same number. Nothing of it is written."""
    log = Log()
    await database.process(pool, log.create(ONE))
    stale = await database.plan_of(pool, log.webhook(ONE, "processing"), log.create(TWO))
    await database.process(pool, log.result(ONE))
    before = await database.everything(pool)
    with pytest.raises(KeyTakenError):
        await database.write(pool, stale)
    assert await database.everything(pool) == before


async def test_an_event_another_worker_recorded_meanwhile_is_a_conflict(pool: Pool) -> None:
    """Nothing of the plan is written, not even for other payments."""
    log = Log()
    early = log.webhook(ONE, "succeeded")
    stale = await database.plan_of(pool, early, log.create(TWO))
    await database.process(pool, early)
    before = await database.everything(pool)
    with pytest.raises(BatchConflictError):
        await database.write(pool, stale)
    assert await database.everything(pool) == before


async def test_a_parked_row_another_worker_applied_meanwhile_is_a_conflict(pool: Pool) -> None:
    """An input is applied once."""
    log = Log()
    await database.process(pool, log.webhook(ONE, "succeeded"))
    plan = await database.plan_of(pool, log.create(ONE))
    applied = WriteSet(inbox=[row for row in plan.inbox if row.waiting])
    await database.write(pool, plan)
    before = await database.everything(pool)
    with pytest.raises(BatchConflictError):
        await database.write(pool, applied)
    assert await database.everything(pool) == before


async def test_another_payments_waiting_row_is_not_deleted(pool: Pool) -> None:
    """The row that a plan supersedes may have gone since, and another payment's have its ID."""
    waiting = Log().webhook(TWO, "succeeded", "evt_1")
    await database.process(pool, waiting)
    before = await database.everything(pool)
    with pytest.raises(BatchConflictError):
        await database.write(pool, WriteSet(superseded={"evt_1": ONE}))
    assert await database.everything(pool) == before
    await database.write(pool, WriteSet(superseded={"evt_1": TWO}))
    assert await database.rows(pool, "select event_id from inbox") == []


async def test_a_payment_another_worker_made_meanwhile_is_a_taken_key(pool: Pool) -> None:
    """Its key is taken; nothing of the plan is written."""
    log = Log()
    stale = await database.plan_of(pool, log.create(ONE), log.create(TWO))
    await database.process(pool, log.command(ONE, "create", event_id="cmd_other"))
    before = await database.everything(pool)
    with pytest.raises(KeyTakenError):
        await database.write(pool, stale)
    assert await database.everything(pool) == before


async def loaded_meanwhile(pool: Pool, writing: ConsumedRecord, reading: ConsumedRecord) -> ReadSet:
    """Returns what a second worker loads, which starts while the first one writes."""

    async def waits() -> bool:
        return await database.rows(pool, _BLOCKED) == [(1,)]

    async with database.batches(pool).transaction() as first:
        known = await first.load([received(writing)])
        second = asyncio.create_task(database.load(pool, reading))
        await until(waits, 10)
        await first.write(folded(writing, known=known), NOW)
        assert not second.done()
    return await second


async def test_two_batches_on_one_payment_run_one_after_the_other(pool: Pool) -> None:
    """The second waits for the first one's commit, and then loads what it wrote."""
    log = Log()
    await database.process(pool, log.create(ONE))
    paid = log.webhook(ONE, "succeeded")
    assert (await loaded_meanwhile(pool, paid, paid)).payments[ONE].version == 2


async def test_a_fact_waits_for_the_create_that_a_former_owner_still_writes(pool: Pool) -> None:
    """There is no row to lock yet, so it locks the partition. Else it would park for ever."""
    log = Log()
    early = log.webhook(ONE, "succeeded")
    assert ONE in (await loaded_meanwhile(pool, log.create(ONE), early)).payments
