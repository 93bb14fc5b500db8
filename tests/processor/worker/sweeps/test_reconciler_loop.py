"""Expiry, isolation of sweeps, and the backlog's metrics."""

import asyncio
from datetime import timedelta

import pytest

from domain.inputs import Cancel
from ports.errors import PublishError
from ports.provider import ProviderUnavailableError
from postgres.stores import Pool
from processor.worker.sweeps.expiry import expiry
from processor.worker.sweeps.sweep import Sweep, Turn
from schemas.identity import result_event_id
from schemas.topics import PAYMENT_COMMANDS
from tests.support import database
from tests.support.builders import NOW, Clock, Log, object_of, payment, received
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import Sweeping, as_record, event, event_ids, process_status

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0
FAILED_ON = payment("failed on")
UNAVAILABLE = ProviderUnavailableError("down")


async def test_a_payment_without_action_in_time_expires(pool: Pool, clock: Clock) -> None:
    """Not before its time, and once. Another leader publishes the same command."""
    sweeping, another, third = (
        Sweeping(pool, clock, unfinished_after_s=10 * DAY_S) for _ in range(3)
    )
    await process_status(pool, "requires_action", ONE)
    clock.forward(DAY_S)
    assert await sweeping.round() == []
    clock.forward(0.001)
    published = [await sweeping.round(), await another.round()]
    commands = [received(as_record(sent)) for (sent,) in published]
    assert {sent.topic for (sent,) in published} == {PAYMENT_COMMANDS}
    assert isinstance(commands[0].input.body, Cancel)
    assert commands[0].input.body.expired
    assert (commands[0].payment_id, commands[0].tenant) == (ONE, "shop")
    assert len({command.event_id for command in commands}) == 1
    assert await sweeping.round() == []
    await database.process(pool, as_record(*published[0]))
    assert await third.round() == []


async def test_a_payment_whose_expiry_was_refused_is_left_in_peace_for_a_while(
    pool: Pool, clock: Clock
) -> None:
    """It was paid, and only a silent payment's object is looked at. An hour later it is asked."""
    sweeping = Sweeping(pool, clock, unfinished_after_s=10 * DAY_S)
    await process_status(pool, "requires_action", ONE)
    clock.forward(DAY_S + 1)
    (sent,) = await sweeping.round()
    key = f"{ONE}:cancel:1"
    refusal = {"code": "already_captured", "message": "The payment was captured before."}
    refused = Log().result(
        ONE, "cancel", call_key=key, event_id=result_event_id(key), outcome="refused",
        object_id=None, refusal=refusal,
    )  # fmt: skip
    await database.process(pool, as_record(sent))
    await database.process(pool, refused)
    assert await sweeping.round() == []
    clock.forward(3601)
    (again,) = await sweeping.round()
    assert (again.topic, again.key) == (PAYMENT_COMMANDS, ONE.encode())


def test_each_version_expires_once() -> None:
    """One event ID per version; a later version has another one."""
    published = [expiry(ONE, "shop", version, NOW) for version in (2, 2, 3)]
    first, same, later = (received(as_record(sent)).event_id for sent in published)
    assert first == same != later


async def test_the_earliest_expiry_comes_first(pool: Pool, clock: Clock) -> None:
    """All that are due are asked, over several pages, also where two expire at the same moment."""
    sweeping = Sweeping(pool, clock, unfinished_after_s=10 * DAY_S, reconcile_page=1)
    ids = sorted(payment(f"due {number}") for number in range(4))
    await process_status(pool, "requires_action", *ids)
    sooner = "update payments set expires_at = expires_at - interval '1 hour' where payment_id = %s"
    await database.rows(pool, f"{sooner} returning 1", ids[2])
    clock.forward(2 * DAY_S)
    asked = [sent.key.decode() for sent in await sweeping.round() if sent.key is not None]
    assert asked == [ids[2], ids[0], ids[1], ids[3]]


async def test_a_command_that_was_not_published_is_published_later(
    pool: Pool, clock: Clock
) -> None:
    """What the brokers do not have was not asked."""
    sweeping = Sweeping(pool, clock, unfinished_after_s=10 * DAY_S)
    await process_status(pool, "requires_action", ONE)
    clock.forward(2 * DAY_S)
    sweeping.outbox.failures = [PublishError("no acknowledgement")]
    assert await sweeping.round() == []
    assert len(await sweeping.round()) == 1


async def test_only_a_payment_that_waits_for_its_customer_expires(pool: Pool, clock: Clock) -> None:
    """A payment that waits for the provider does not expire."""
    sweeping = Sweeping(pool, clock, unfinished_after_s=10 * DAY_S)
    await process_status(pool, "processing", ONE)
    clock.forward(2 * DAY_S)
    assert await sweeping.round() == []


async def test_a_quarantined_payment_does_not_expire(pool: Pool, clock: Clock) -> None:
    """Otherwise each sweep would queue one more command behind the quarantine."""
    sweeping = Sweeping(pool, clock, unfinished_after_s=10 * DAY_S)
    await process_status(pool, "requires_action", ONE, TWO)
    quarantine = "insert into quarantines values (%s, 'evt', 'x', %s) returning 1"
    await database.rows(pool, quarantine, ONE, NOW)
    clock.forward(2 * DAY_S)
    assert [received(as_record(sent)).payment_id for sent in await sweeping.round()] == [TWO]


async def test_a_failing_sweep_stops_no_other(sweeping: Sweeping, pool: Pool, clock: Clock) -> None:
    """Each failure is counted under the name of its sweep."""
    await process_status(pool, "requires_action", ONE)
    clock.forward(2 * DAY_S)
    sweeping.provider.pages = [UNAVAILABLE]
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look")}
    sweeping.outbox.failures = [PublishError("no acknowledgement")]
    assert event_ids(await sweeping.round()) == ["look"]
    assert (sweeping.errors("expiry"), sweeping.errors("events/stripe")) == (1, 1)
    assert sweeping.gauge("payments_backlog_rows", "unfinished_payment") == 1


async def test_a_sweep_that_is_cancelled_ends(sweeping: Sweeping) -> None:
    """Taken for a failed sweep, it would keep the worker from stopping."""
    begun = asyncio.Event()

    async def sweep(_: Turn) -> None:
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(sweeping.reconciler.run(Sweep("any", 1.0, sweep)))
    await begun.wait()
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled()
    assert sweeping.errors("any") is None


async def test_an_unavailable_store_does_not_end_the_loop(sweeping: Sweeping, pool: Pool) -> None:
    """Without connections every sweep fails and is counted, and the round ends."""
    await pool.close()
    assert await sweeping.round() == []
    assert {sweeping.errors(sweep.name) for sweep in sweeping.reconciler.sweeps} == {1}


async def test_the_backlog_is_measured(sweeping: Sweeping, pool: Pool, clock: Clock) -> None:
    """The number of each kind, and the age of the oldest; 0 if there is none."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(TWO, "succeeded"))
    await database.process(pool, log.webhook(FAILED_ON, "succeeded"))
    failed_on = "update inbox set outcome = 'quarantined' where payment_id = %s returning 1"
    assert await database.rows(pool, failed_on, FAILED_ON) == [(1,)]
    clock.forward(50)
    await sweeping.round()
    for what, count, age in (
        ("unfinished_payment", 1, 50),
        ("parked_event", 2, 50),
        ("unpublished_version", 1, 50),
        ("due_call", 1, 50),
        ("unrouted_webhook", 0, 0),
        ("notice", 0, 0),
        ("quarantined_payment", 0, 0),
    ):
        assert sweeping.gauge("payments_backlog_rows", what) == count, what
        assert sweeping.gauge("payments_backlog_oldest_age_seconds", what) == age, what


async def test_finished_work_is_not_in_the_backlog(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Finished calls and published versions are not counted; the age is that of the oldest."""
    log = Log()
    await database.process(pool, log.create(ONE))
    for done in (
        "update publications set published_at = %s returning 1",
        "update provider_calls set state = 'done', outcome = 'x', done_at = %s returning 1",
    ):
        await database.rows(pool, done, NOW)
    await database.process(pool, log.create(TWO))
    await database.rows(
        pool,
        "update payments set created_at = %s, tenant = 'another' where payment_id = %s returning 1",
        NOW + timedelta(seconds=30), TWO,
    )  # fmt: skip
    clock.forward(50)
    await sweeping.round()
    for what in ("due_call", "unpublished_version"):
        assert sweeping.gauge("payments_backlog_rows", what) == 1, what
    assert sweeping.gauge("payments_backlog_oldest_age_seconds", "unfinished_payment") == 50
