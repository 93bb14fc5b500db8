"""Each sweep runs on its own clock: one that is slow, stuck or failing delays no other."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from messaging.sender import Sender
from ports.provider import FetchedEvent, ProviderUnavailableError
from postgres.stores import Pool
from processor.worker.sweeps import expiries
from processor.worker.sweeps.objects import LOOKS_AT_ONCE
from processor.worker.sweeps.sweep import Sweep
from schemas.topics import PAYMENT_COMMANDS
from tests.support import database
from tests.support.builders import Clock, Log, object_of, payment
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import SILENT_S, Sweeping, event, event_ids, process_status
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0
OFTEN: Final[dict[str, Any]] = {
    "expiry_every_s": 0.05,
    "backlog_every_s": 0.05,
    "event_list_every_s": 0.05,
    "objects_every_s": 0.05,
}
DUE = 5_000


async def holds(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Waits until the condition holds."""

    async def check() -> bool:
        return condition()

    await until(check, within_s)


async def test_looks_that_are_stuck_delay_no_other_sweep(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gauges stay fresh, the list is read, and payments expire."""
    sweeping = Sweeping(pool, clock, **OFTEN)
    asked = asyncio.Event()

    async def hang(*_: object) -> FetchedEvent:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(sweeping.provider, "retrieve", hang)
    await process_status(pool, "processing", ONE)
    clock.forward(SILENT_S + 1)
    async with sweeping.running():
        await holds(asked.is_set)
        before = sweeping.completed("objects/stripe")
        await holds(lambda: sweeping.completed("events/stripe") is not None)
        sweeping.provider.pages = [[event(TWO, "evt_later")]]
        await holds(lambda: "evt_later" in event_ids(sweeping.outbox.records))
        clock.forward(100)
        age = SILENT_S + 101
        await holds(lambda: sweeping.age("unfinished_payment") == age)
        await process_status(pool, "requires_action", TWO)
        clock.forward(2 * DAY_S)
        # the provider's stand-in lists its last event again and again, so it may be behind
        await holds(lambda: PAYMENT_COMMANDS in [each.topic for each in sweeping.outbox.records])
        assert sweeping.completed("objects/stripe") == before


async def test_a_failing_sweep_is_tried_again_and_delays_no_other(pool: Pool, clock: Clock) -> None:
    """Each failure is counted under its name."""
    sweeping = Sweeping(pool, clock, **OFTEN)
    sweeping.provider.pages = [ProviderUnavailableError("down")]
    async with sweeping.running():
        await holds(lambda: (sweeping.errors("events/stripe") or 0) >= 2)
        sweeping.provider.pages = [[event(ONE, "evt_1")]]
        await holds(lambda: event_ids(sweeping.outbox.records) == ["evt_1"])
    assert sweeping.errors("backlog") is None
    assert sweeping.completed("backlog") == clock.now.timestamp()


def test_after_failures_a_sweep_waits_longer_but_never_longer_than_usual() -> None:
    """A second after the first failure."""

    async def nothing(_: object) -> None:
        pass

    sweep = Sweep("any", 30.0, nothing)
    assert [sweep.wait_s(failures) for failures in range(8)] == [30, 1, 2, 4, 8, 16, 30, 30]
    assert sweep.wait_s(10_000) == 30
    assert Sweep("any", 0.5, nothing).wait_s(1) == 0.5


async def test_a_sweep_that_another_worker_leads_ends(pool: Pool, clock: Clock) -> None:
    """It ends between two objects: a pass may take hours. What it has found is published."""
    sweeping = Sweeping(pool, clock)
    payments = sorted(payment(f"left {n}") for n in range(LOOKS_AT_ONCE + 1))
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    sweeping.provider.objects = {object_of(one): event(one, f"look_{one}") for one in payments}

    async def lose_lead() -> None:
        await holds(lambda: bool(sweeping.provider.retrieved))
        sweeping.leadership.is_held = False

    by_name = {sweep.name: sweep for sweep in sweeping.reconciler.sweeps}
    assert await sweeping.reconciler.run(by_name["looks"])
    losing = asyncio.create_task(lose_lead())
    retrieve = sweeping.provider.retrieve

    async def slow(object_id: str) -> FetchedEvent:
        found = await retrieve(object_id)
        await losing
        return found

    sweeping.provider.retrieve = slow  # type: ignore[method-assign]  # slower
    assert not await sweeping.reconciler.run(by_name["objects/stripe"])
    found = event_ids(sweeping.outbox.records)
    assert sorted(found) == [f"look_{one}" for one in payments[:LOOKS_AT_ONCE]]
    assert sweeping.errors("objects/stripe") is None


async def test_what_is_out_of_date_is_not_shown(pool: Pool, clock: Clock) -> None:
    """A worker that does not lead any more, or can't measure, shows no age at all."""
    sweeping = Sweeping(pool, clock, **OFTEN)
    await process_status(pool, "processing", ONE)
    async with sweeping.running():
        await holds(lambda: sweeping.age("unfinished_payment") == 0)
        sweeping.leadership.is_held = False
        await holds(lambda: sweeping.age("unfinished_payment") is None)
        sweeping.leadership.is_held = True
        await holds(lambda: sweeping.age("unfinished_payment") == 0)
        await pool.close()
        await holds(lambda: sweeping.age("unfinished_payment") is None)


async def test_sweeps_of_one_provider_share_its_rate(pool: Pool, clock: Clock) -> None:
    """Provider calls need it too."""
    sweeping = Sweeping(pool, clock, **OFTEN, reconcile_per_s=20.0)
    payments = [payment(f"paced {number}") for number in range(10)]
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    sweeping.provider.objects = {object_of(one): event(one, f"look_{one}") for one in payments}
    sweeping.provider.pages = [[event(TWO, f"evt_{number}")] for number in range(10)]
    started = time.monotonic()
    async with sweeping.running():
        await holds(lambda: len(sweeping.outbox.records) >= 20)
    assert time.monotonic() - started >= 17 / 20


async def test_thousands_of_due_payments_are_asked_within_seconds(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """A hundred a second would take 50 seconds. Each is asked once; none is asked again."""
    sweeping = Sweeping(pool, clock, **OFTEN, unfinished_after_s=10 * DAY_S)
    log, ids = Log(), [payment(f"due {number}") for number in range(DUE)]
    for first in range(0, DUE, 500):
        some = ids[first : first + 500]
        records = [(log.create(one), log.webhook(one, "requires_action")) for one in some]
        await database.process(pool, *(each for pair in records for each in pair))
    clock.forward(2 * DAY_S)
    brokers = Sender(kafka_bootstrap, "test-expiry", 30.0)
    keep = sweeping.outbox.send

    async def send(records: list[object]) -> None:
        await brokers.send(records)  # type: ignore[arg-type]  # records of the sweep
        await keep(records)  # type: ignore[arg-type]  # as above

    sweeping.outbox.send = send  # type: ignore[assignment,method-assign]  # to real brokers
    started = time.monotonic()
    try:
        async with sweeping.running():
            await holds(lambda: len(sweeping.outbox.records) >= DUE, 50)
            took_s = time.monotonic() - started
            clock.forward(10)
            await holds(lambda: sweeping.completed("expiry") == clock.now.timestamp())
    finally:
        await brokers.close()
    asked = [record.key for record in sweeping.outbox.records if record.key is not None]
    assert sorted(key.decode() for key in asked) == sorted(ids)
    assert took_s < 50


async def test_more_due_payments_than_are_remembered_are_not_asked_again(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that expired last wait until others have ended."""
    monkeypatch.setattr(expiries, "PAYMENTS_MAX", 2)
    sweeping = Sweeping(pool, clock, reconcile_page=1, unfinished_after_s=10 * DAY_S)
    ids = sorted(payment(f"many {number}") for number in range(3))
    await process_status(pool, "requires_action", *ids)
    clock.forward(2 * DAY_S)
    asked = [record.key for record in await sweeping.round()]
    assert asked == [one.encode() for one in ids[:2]]
    assert await sweeping.round() == []
    ended = "update payments set status = 'PROCESSING' where payment_id = %s returning 1"
    await database.rows(pool, ended, ids[0])
    assert [record.key for record in await sweeping.round()] == [ids[2].encode()]
