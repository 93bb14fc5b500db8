"""Claims on calls: one worker at a time, and again after a crash."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ports.errors import PublishError, StoreUnavailableError
from ports.provider import Acknowledged, Refused
from ports.work_items import ClaimedCall, LookUpShare
from postgres import outbox as store
from postgres.stores import Pool, PostgresOutbox
from processor.worker.calls import dispatcher
from tests.support import database
from tests.support.builders import NOW, Clock, Log, event_body
from tests.support.programs.calling import KEY, LEASE_S, Caller, as_input, create_due_calls
from tests.support.programs.folding import ONE
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=LEASE_S)
SHORT_LEASE_S = 0.15


async def claim(pool: Pool, now: datetime = NOW, provider: str = "stripe") -> list[ClaimedCall]:
    """Claims every call of the provider that is due at ``now``."""
    return await PostgresOutbox(pool).claim(provider, 100, now, now + LEASE)


async def test_a_claim_is_a_lease(pool: Pool) -> None:
    """The claim ends with the lease; then the call is due again, under the same key."""
    keys = await create_due_calls(pool, 1)
    (first,) = await claim(pool)
    assert (first.attempts, first.key, first.key_first_used_at) == (1, *keys, NOW)
    assert await claim(pool, NOW + LEASE - timedelta(milliseconds=1)) == []
    (again,) = await claim(pool, NOW + LEASE)
    assert (again.attempts, again.key, again.key_first_used_at) == (2, *keys, NOW)


async def test_a_claim_ends_the_error_of_the_try_before(pool: Pool) -> None:
    """A call with one waits for its next try; one without is being made."""
    await create_due_calls(pool, 1)
    (first,) = await claim(pool)
    assert await PostgresOutbox(pool).retry(first, NOW, "busy")
    error = "select last_error from provider_calls"
    assert await database.rows(pool, error) == [("busy",)]
    await claim(pool)
    assert await database.rows(pool, error) == [(None,)]


async def test_a_lost_claim_changes_nothing(pool: Pool) -> None:
    """Its worker finds out and stops. The next claim keeps its lease."""
    await create_due_calls(pool, 1)
    (lost,) = await claim(pool)
    (current,) = await claim(pool, NOW + LEASE)
    before = await database.everything(pool)
    calls = PostgresOutbox(pool)
    assert not await calls.renew(lost, NOW + 3 * LEASE)
    assert not await calls.finish(lost, "refused: late", NOW)
    assert not await calls.retry(lost, NOW, "late")
    assert not await calls.retry_with_new_key(lost, NOW, "late")
    assert await database.everything(pool) == before
    assert await calls.renew(current, NOW + 3 * LEASE)
    assert await claim(pool, NOW + 2 * LEASE) == []


async def test_two_claimers_never_get_the_same_call(pool: Pool) -> None:
    """Rows of an uncommitted claim are skipped without waiting."""
    keys = await create_due_calls(pool, 10)
    async with pool.connection() as one, pool.connection() as two:
        first = await store.claim(one, "stripe", 4, NOW, NOW + LEASE)
        async with asyncio.timeout(10):
            second = await store.claim(two, "stripe", 100, NOW, NOW + LEASE)
    assert (len(first), len(second)) == (4, 6)
    assert {claimed.key for claimed in first + second} == keys


async def test_an_untried_call_is_due_at_any_time(pool: Pool) -> None:
    """The clock of the host that wrote it may be ahead of the claimer's."""
    keys = await create_due_calls(pool, 1)
    assert [each.key for each in await claim(pool, NOW - timedelta(hours=1))] == [*keys]


async def test_a_new_key_is_assigned_once(pool: Pool) -> None:
    """If two workers had the call, the second one's report is about an older key."""
    await create_due_calls(pool, 1)
    (claimed,) = await claim(pool)
    calls = PostgresOutbox(pool)
    for _ in range(2):
        await calls.retry_with_new_key(claimed, NOW, "it certainly did not happen")
    (again,) = await claim(pool)
    assert again.generation == 1


async def test_many_claimers_at_once_share_the_work(pool: Pool) -> None:
    """Each call is claimed once."""
    keys = await create_due_calls(pool, 20)
    calls = PostgresOutbox(pool)
    claims = await asyncio.gather(*(calls.claim("stripe", 3, NOW, NOW + LEASE) for _ in range(10)))
    claimed = [each.key for part in claims for each in part]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= keys
    assert set(claimed) | {each.key for each in await claim(pool)} == keys


async def test_the_call_that_waited_longest_is_claimed_first(pool: Pool) -> None:
    """Calls are claimed in order of their due time; calls that are not due are not claimed."""
    keys = sorted(await create_due_calls(pool, 4))
    moved = """update provider_calls set next_attempt_at = %s, attempts = 1
        where call_key = %s returning 1"""
    for key, minutes in zip(keys, (-2, -3, -1, +1), strict=True):
        await database.rows(pool, moved, NOW + timedelta(minutes=minutes), key)
    calls = PostgresOutbox(pool)
    claimed = [await calls.claim("stripe", 1, NOW, NOW + LEASE) for _ in keys]
    assert [[each.key for each in part] for part in claimed] == [
        [keys[1]],
        [keys[0]],
        [keys[2]],
        [],
    ]


async def test_calls_tried_before_and_new_ones_are_claimed_in_one_order(pool: Pool) -> None:
    """Each of the two has an index of its own; neither goes first because of it."""
    keys = sorted(await create_due_calls(pool, 4))
    moved = """update provider_calls set next_attempt_at = %s, attempts = %s
        where call_key = %s returning 1"""
    for key, minutes, attempts in zip(keys, (-3, -4, -1, -2), (1, 0, 0, 1), strict=True):
        await database.rows(pool, moved, NOW + timedelta(minutes=minutes), attempts, key)
    calls = PostgresOutbox(pool)
    claimed = [await calls.claim("stripe", 1, NOW, NOW + LEASE) for _ in keys]
    assert [each.key for part in claimed for each in part] == [keys[1], keys[0], keys[3], keys[2]]


async def test_a_claim_takes_no_more_calls_than_asked_for(pool: Pool) -> None:
    """Of those that were tried and those that never were, together."""
    keys = sorted(await create_due_calls(pool, 4))
    tried = "update provider_calls set attempts = 1 where call_key = any(%s) returning 1"
    await database.rows(pool, tried, keys[:2])
    claimed = await PostgresOutbox(pool).claim("stripe", 2, NOW, NOW + LEASE)
    assert len(claimed) == 2
    assert len(await claim(pool)) == 2


@pytest.mark.parametrize("tried", ["never", "a moment ago", "long ago"])
async def test_another_providers_calls_are_not_claimed(pool: Pool, tried: str) -> None:
    """Each provider has its own circuit breaker, and so its own claims.

    Of the calls that are made again and of those that are looked up, too.
    """
    await create_due_calls(pool, 1)
    if tried != "never":
        again = "update provider_calls set attempts = 1, key_first_used_at = %s returning 1"
        await database.rows(pool, again, NOW if tried == "a moment ago" else NOW - 100 * LEASE)
    share = LookUpShare(5, NOW - 10 * LEASE)
    for provider, found in (("another", 0), ("stripe", 1)):
        outbox = PostgresOutbox(pool)
        claimed = await outbox.claim(provider, 10, NOW + LEASE, NOW + 2 * LEASE, share)
        assert len(claimed) == found


async def test_no_more_calls_are_in_flight_than_allowed(pool: Pool, clock: Clock) -> None:
    """A slow provider gets as many calls as the settings allow; the rest waits."""
    await create_due_calls(pool, 5)
    caller = Caller(pool, clock, call_concurrency=2)
    gate = asyncio.Event()
    caller.provider.gate = gate
    assert await caller.calls.claim_and_start() == 2
    assert await caller.calls.claim_and_start() == 0
    gate.set()
    await caller.finished()
    assert await caller.calls.claim_and_start() == 2
    await caller.finished()


async def test_a_crash_before_the_row_is_marked_repeats_the_same_event(
    caller: Caller, pool: Pool, clock: Clock
) -> None:
    """The result is published twice under one event ID; the provider gets one idempotency key."""

    class Crashing(PostgresOutbox):
        async def finish(self, *_: Any, **__: Any) -> bool:
            raise StoreUnavailableError("unreachable")

    crashing = Caller(pool, clock, Crashing(pool))
    crashing.provider.responses = [Acknowledged("pi_1")]
    caller.provider.responses = [Acknowledged("pi_1")]
    assert await crashing.round() == 1
    assert await caller.row("state") == ("due",)
    assert await caller.round() == 0
    clock.forward(LEASE_S)
    assert await caller.round() == 1
    results = [as_input(sent) for sent in crashing.outbox.records + caller.outbox.records]
    assert len(results) == 2
    assert len({result.event_id for result in results}) == 1
    assert crashing.provider.keys == caller.provider.keys == [KEY]
    assert await caller.row("state") == ("done",)


async def test_a_result_that_was_not_published_leaves_the_call_due(
    caller: Caller, clock: Clock
) -> None:
    """A call is done only when its result is published."""
    caller.provider.responses = [Refused("no", "No."), Refused("no", "No.")]
    caller.outbox.failures = [PublishError("no acknowledgement")]
    await caller.round()
    assert await caller.row("state") == ("due",)
    clock.forward(LEASE_S)
    await caller.round()
    assert await caller.row("state") == ("done",)
    assert len(caller.outbox.records) == 1


async def test_a_call_that_is_done_stays_done(caller: Caller, clock: Clock) -> None:
    """Neither a late claimer nor the finisher can change the row any more."""
    (late,) = await claim(caller.pool)
    clock.forward(LEASE_S)
    caller.provider.responses = [Acknowledged("pi_1")]
    await caller.round()
    before = await database.everything(caller.pool)
    calls = PostgresOutbox(caller.pool)
    for claimed in (late, replace(late, attempts=late.attempts + 1)):
        assert not await calls.renew(claimed, NOW + LEASE)
        assert not await calls.finish(claimed, "refused: late", NOW)
        assert not await calls.retry(claimed, NOW, "late")
        assert not await calls.retry_with_new_key(claimed, NOW, "late")
    assert await database.everything(caller.pool) == before


async def test_a_call_our_code_fails_on_affects_no_other(pool: Pool, clock: Clock) -> None:
    """The failing call is counted and due again later. The others finish."""
    await create_due_calls(pool, 3)
    caller = Caller(pool, clock)
    caller.provider.responses = [Refused("no", "No."), ZeroDivisionError("a defect")]
    caller.provider.responses += [Refused("no", "No.")]
    assert await caller.round() == 3
    states = await database.rows(pool, "select state from provider_calls order by state")
    assert states == [("done",), ("done",), ("due",)]
    assert caller.errors() == 1


async def test_shutdown_waits_for_calls_in_flight_but_not_for_ever(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without brokers the result can't be published, so the call is due again after its lease."""
    monkeypatch.setattr(dispatcher, "SHUTDOWN_TIMEOUT_S", 0.1)
    caller.provider.responses = [Acknowledged("pi_1")]
    publishing = asyncio.Event()

    async def send(_records: object) -> None:
        publishing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(caller.outbox, "send", send)
    loop = asyncio.create_task(caller.calls.run())
    await publishing.wait()
    loop.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(loop, return_exceptions=True)
    assert await caller.row("state", "outcome") == ("due", None)
    assert caller.calls.in_flight() == []


async def test_an_unproved_event_never_postpones_a_call(pool: Pool) -> None:
    """A call that is due already stays due, however many such events arrive."""
    log = Log()
    await database.process(pool, log.create(ONE))
    (claimed,) = await claim(pool)
    assert await PostgresOutbox(pool).retry(claimed, NOW - LEASE, "no answer")
    event = {**event_body(ONE, "succeeded", "evt_unproved"), "request": None}
    await database.process(pool, log.event(ONE, event))
    (again,) = await claim(pool, NOW - LEASE)
    assert again.attempts == 2


async def test_a_call_in_flight_is_not_claimed_again_after_its_first_lease(
    pool: Pool, clock: Clock
) -> None:
    """Each renewal lasts for a whole lease, so no other worker makes the call meanwhile."""
    await create_due_calls(pool, 1)
    caller = Caller(pool, clock, call_lease_s=1.5)
    caller.provider.responses = [Acknowledged("pi_1")]
    caller.provider.gate = asyncio.Event()
    assert await caller.calls.claim_and_start() == 1
    clock.forward(LEASE_S)

    async def is_renewed() -> bool:
        return await caller.due_at() >= clock() + timedelta(seconds=1.5)

    await until(is_renewed, 10)
    assert await claim(pool, clock()) == []
    caller.provider.gate.set()
    await caller.finished()
    assert await caller.row("state", "attempts") == ("done", 1)


class SlowClaims(PostgresOutbox):
    """The response to a claim arrives after its lease has ended."""

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        claimed = await super().claim(provider, limit, now, lease_until, look_ups)
        await asyncio.sleep(2 * SHORT_LEASE_S)
        return claimed


async def test_a_lease_begins_before_the_claim(pool: Pool, clock: Clock) -> None:
    """A claim that took too long is lost already: another worker may have the call."""
    await create_due_calls(pool, 1)
    caller = Caller(pool, clock, SlowClaims(pool), call_lease_s=SHORT_LEASE_S)
    caller.provider.gate = asyncio.Event()
    assert await caller.calls.claim_and_start() == 1
    async with asyncio.timeout(5):
        await caller.finished()
    assert caller.outbox.records == []
    assert await caller.row("state", "last_error") == ("due", None)
