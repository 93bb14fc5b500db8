"""A slow, silent, raising or stuck provider or adapter affects no other."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from ports.provider import Acknowledged, Refused
from postgres.stores import Pool, PostgresOutbox
from processor.worker.calls import adapter_call
from tests.support import database
from tests.support.builders import Clock
from tests.support.fakes import Provider
from tests.support.programs.calling import BASE_S, KEY, LEASE_S, Caller, create_due_calls
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

#: Unforeseen errors of an adapter.
UNFORESEEN: Final = [
    KeyError("amount"),
    AssertionError(),
    RecursionError(),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"", 0, 1, "reason"),
    TimeoutError(),
    asyncio.CancelledError(),
    StopAsyncIteration(),
    ExceptionGroup("some", [OSError()]),
]


async def another_providers(pool: Pool, count: int) -> None:
    """Moves ``count`` of the due calls to another provider."""
    await database.rows(
        pool,
        """update provider_calls set provider = 'another',
            request = jsonb_set(request, '{provider}', '"another"')
        where call_key in (select call_key from provider_calls order by call_key limit %s)
        returning 1""",
        count,
    )


async def test_a_slow_provider_takes_no_slot_of_another(pool: Pool, clock: Clock) -> None:
    """The other provider's calls are made at once, though all slots of the first are taken."""
    await create_due_calls(pool, 10)
    await another_providers(pool, 4)
    other = Provider(name="another", responses=[Refused("no", "No.")] * 4)
    caller = Caller(pool, clock, others=[other], call_concurrency=3)
    caller.provider.gate = asyncio.Event()
    made = 0
    for _ in range(4):
        made += await caller.calls.claim_and_start()
        await asyncio.sleep(0.05)
    assert len(caller.provider.keys) == 3
    assert len(other.keys) == 4
    assert made == 7
    caller.provider.gate.set()
    await caller.finished()


async def test_an_open_breaker_affects_no_other_provider(pool: Pool, clock: Clock) -> None:
    """Calls of an unavailable provider wait; the other's do not."""
    await create_due_calls(pool, 6)
    await another_providers(pool, 3)
    other = Provider(name="another", responses=[Refused("no", "No.")] * 3)
    caller = Caller(pool, clock, others=[other], breaker_failures=1, call_concurrency=1)
    assert [await caller.round() for _ in range(3)] == [2, 1, 1]
    assert len(caller.provider.keys) == 1
    assert len(other.keys) == 3


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["call", "look_up"])
async def test_an_unforeseen_error_is_recorded_and_retried_later(
    caller: Caller, clock: Clock, where: str, error: BaseException
) -> None:
    """The outcome is unknown. The row has the error, and the retry waits like any other."""
    if where == "look_up":
        await caller.round()
        clock.forward(3600.0)
        caller.provider.found = [error]  # type: ignore[list-item]  # an adapter's mistake
    else:
        caller.provider.responses = [error]
    assert await caller.round() == 1
    state, attempts, text = await caller.row("state", "attempts", "last_error")
    assert (state, attempts) == ("due", 1 if where == "call" else 2)
    assert text == f"our adapter failed: {type(error).__name__}"
    assert await caller.due_at() == clock.now + timedelta(seconds=BASE_S * attempts)
    assert caller.errors() == 1
    clock.forward(10.0)
    caller.provider.responses = [Acknowledged("pi_1")]
    caller.provider.found = [Acknowledged("pi_1")]
    await caller.round()
    assert await caller.row("state") == ("done",)


async def test_an_adapter_that_hangs_is_given_up_at_the_deadline(pool: Pool, clock: Clock) -> None:
    """Its outcome is unknown, and its slot is free again."""
    await create_due_calls(pool, 1)
    caller = Caller(pool, clock, call_deadline_s=0.1, call_concurrency=1)
    caller.provider.gate = asyncio.Event()
    assert await caller.round() == 1
    assert await caller.row("state", "last_error") == ("due", "no response within 0.1 s")
    clock.forward(10.0)
    caller.provider.gate.set()
    assert await caller.round() == 1


async def test_an_adapter_that_ignores_cancellation_keeps_only_its_own_slot(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call is recorded as unknown. The slots limit the number of stuck tasks."""
    monkeypatch.setattr(adapter_call, "CANCEL_TIMEOUT_S", 0.05)
    await create_due_calls(pool, 4)
    await another_providers(pool, 2)
    other = Provider(name="another", responses=[Refused("no", "No.")] * 2)
    caller = Caller(pool, clock, others=[other], call_deadline_s=0.1, call_concurrency=1)
    release = asyncio.Event()

    async def stuck(*_: object) -> Acknowledged:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Acknowledged("late")

    monkeypatch.setattr(caller.provider, "call", stuck)
    assert await caller.calls.claim_and_start() == 2
    recorded = "select 1 from provider_calls where last_error = 'no response within 0.1 s'"

    async def given_up() -> bool:
        return len(await database.rows(pool, recorded)) == 1

    try:
        await until(given_up, 5)
        await asyncio.sleep(0.1)
        assert await caller.calls.claim_and_start() == 1, "the other provider's second call"
        assert await caller.calls.claim_and_start() == 0
    finally:
        release.set()  # the loop would wait for a stuck task for ever
    await caller.finished()
    assert (
        await database.rows(
            pool, "select 1 from provider_calls where outcome is not null and outcome ~ 'late'"
        )
        == []
    )


async def test_a_look_up_that_outlasts_its_lease_is_claimed_once(
    caller: Caller, clock: Clock
) -> None:
    """While it is in flight, its lease is renewed."""
    long = Caller(caller.pool, clock, call_lease_s=0.3)
    long.provider.gate = asyncio.Event()
    assert await long.calls.claim_and_start() == 1
    for _ in range(5):
        clock.forward(0.3)

        async def renewed() -> bool:
            return await caller.due_at() > clock.now

        await until(renewed, 5)
        assert await caller.calls.claim_and_start() == 0
    long.provider.responses = [Acknowledged("pi_1")]
    long.provider.gate.set()
    await long.finished()
    assert await caller.row("state", "attempts") == ("done", 1)
    assert caller.provider.keys == []


async def test_the_late_end_of_a_lost_lease_changes_nothing(caller: Caller, clock: Clock) -> None:
    """Another worker has claimed the call, and its lease, error and key stay."""
    former = Caller(caller.pool, clock)
    former.provider.gate = asyncio.Event()
    await former.calls.claim_and_start()

    async def has_called() -> bool:  # its request is kept first
        return bool(former.provider.keys)

    await until(has_called, 10)
    clock.forward(LEASE_S)
    outbox = PostgresOutbox(caller.pool)
    (newer,) = await outbox.claim("stripe", 1, clock.now, clock.now + timedelta(hours=1))
    before = await database.everything(caller.pool)
    former.provider.gate.set()
    await former.finished()
    assert former.provider.keys == [KEY]
    assert await database.everything(caller.pool) == before
    assert await outbox.finish(newer, "acknowledged: pi_1", clock.now)
