"""An unreachable provider is not called for a while, but is always tried again."""

import asyncio

import pytest

from ports.errors import LeaseLostError
from ports.provider import MissingError, NotSent, Refused, Unknown
from postgres.stores import Pool
from tests.support.builders import Clock
from tests.support.programs.calling import Caller, create_due_calls

pytestmark = pytest.mark.anyio

OPEN_S = 5.0


async def test_a_failing_provider_is_not_called(pool: Pool, clock: Clock) -> None:
    """After failures in a row no call is made; then a trial call; its success admits all."""
    await create_due_calls(pool, 6)
    caller = Caller(pool, clock, breaker_failures=3, breaker_open_s=OPEN_S, call_concurrency=3)
    assert await caller.round() == 3
    assert await caller.round() == 0
    clock.forward(OPEN_S)
    assert await caller.round() == 1
    assert await caller.round() == 0
    clock.forward(OPEN_S)
    caller.provider.gate = asyncio.Event()
    caller.provider.responses = [Refused("no", "No.")]
    assert await caller.calls.claim_and_start() == 1
    clock.forward(OPEN_S)
    assert await caller.calls.claim_and_start() == 0
    caller.provider.gate.set()
    await caller.finished()
    assert await caller.round() == 3


async def test_a_call_that_nothing_proves_does_not_open_the_breaker(
    pool: Pool, clock: Clock
) -> None:
    """The provider answered the look-up: other payments' calls go on, and this one stays due."""
    await create_due_calls(pool, 2)
    caller = Caller(pool, clock, breaker_failures=1, breaker_open_s=OPEN_S, call_concurrency=1)
    caller.provider.responses = [Unknown("HTTP 500", repeats=True), Refused("no", "No.")]
    caller.provider.found = [Unknown("nothing proves it", is_available=True)]
    assert await caller.round() == 1
    assert await caller.round() == 1
    clock.forward(10.0)
    assert await caller.round() == 1
    assert caller.provider.keys[2] == caller.provider.keys[0]


async def test_a_missing_object_does_not_open_the_breaker(pool: Pool, clock: Clock) -> None:
    """The provider answered the look-up. What became of the call nobody knows."""
    await create_due_calls(pool, 1)
    caller = Caller(pool, clock, breaker_failures=1, breaker_open_s=OPEN_S, call_concurrency=1)
    caller.provider.responses = [Unknown("HTTP 500", repeats=True)] * 2
    caller.provider.found = [MissingError("no such payment"), MissingError("no such payment")]
    assert await caller.round() == 1
    assert await caller.row("state", "last_error") == ("due", "can't be looked up: no such payment")
    clock.forward(1.0)
    assert await caller.round() == 1


async def test_a_lease_lost_during_the_trial_call_does_not_block_the_breaker(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker has that call now. Here another call becomes the trial call."""

    async def lost(_: object) -> None:
        raise LeaseLostError("claimed by another worker")

    await create_due_calls(pool, 4)
    caller = Caller(pool, clock, breaker_failures=1, breaker_open_s=OPEN_S)
    await caller.round()
    clock.forward(100.0)
    with monkeypatch.context() as losing:
        losing.setattr(caller.calls, "_call_provider", lost)
        assert await caller.round() == 1
    clock.forward(100.0)
    assert await caller.round() == 1


@pytest.mark.parametrize("failure", [ZeroDivisionError("a defect"), asyncio.CancelledError()])
async def test_a_trial_call_that_our_code_fails_on_does_not_block_the_breaker(
    pool: Pool, clock: Clock, failure: BaseException
) -> None:
    """Another call becomes the trial call."""
    await create_due_calls(pool, 4)
    caller = Caller(pool, clock, breaker_failures=1, breaker_open_s=OPEN_S)
    await caller.round()
    clock.forward(100.0)
    caller.provider.responses = [failure]
    assert await caller.round() == 1
    clock.forward(100.0)
    assert await caller.round() == 1


async def test_too_many_requests_do_not_open_the_breaker(pool: Pool, clock: Clock) -> None:
    """The provider answered: it is there, and its rate budget says when to ask it again."""
    await create_due_calls(pool, 3)
    caller = Caller(pool, clock, breaker_failures=1, breaker_open_s=OPEN_S, call_concurrency=1)
    caller.provider.responses = [Unknown("HTTP 429", 2.0, is_available=True)] * 3
    for _ in range(3):
        assert await caller.round() == 1


async def test_a_trial_call_that_was_not_sent_proves_nothing(pool: Pool, clock: Clock) -> None:
    """The breaker stays open, and the next call is the trial."""
    await create_due_calls(pool, 4)
    caller = Caller(pool, clock, breaker_failures=1, breaker_open_s=OPEN_S, call_concurrency=2)
    caller.provider.responses = [Unknown("no answer"), Unknown("no answer")]
    assert await caller.round() == 2
    clock.forward(OPEN_S)
    caller.provider.responses = [NotSent("the budget is used up", 1.0)] * 2
    for _ in range(2):
        assert await caller.round() == 1
    caller.provider.responses = [Refused("no", "No.")]
    assert await caller.round() == 1
    clock.forward(2.0)
    assert await caller.round() == 2
