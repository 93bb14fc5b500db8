"""Slow look-ups hold up no call: at most half of the slots are theirs."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from ports.provider import Refused, Unknown
from ports.work_items import LookUpShare
from postgres.stores import Pool, PostgresOutbox
from tests.support import database
from tests.support.builders import NOW, Clock, Log, payment
from tests.support.programs.calling import BASE_S, KEY_S, MAX_S, Caller, create_due_calls

pytestmark = pytest.mark.anyio

SLOTS: Final = 4
REFUSED: Final = Refused("no", "No.")
#: A year of outages' look-ups, as a test can have them.
FORGOTTEN: Final = 12


async def with_forgotten_keys(pool: Pool, clock: Clock, count: int) -> Caller:
    """A dispatcher of so many calls that are due, and whose keys may be forgotten.

    Its look-ups never end.
    """
    await create_due_calls(pool, count)
    first = Caller(pool, clock, call_concurrency=count)
    assert await first.round() == count
    clock.forward(KEY_S)
    caller = Caller(pool, clock, call_concurrency=SLOTS)
    hanging = asyncio.Event()

    async def hang(*_: object) -> None:
        await hanging.wait()

    caller.provider.look_up = hang  # type: ignore[method-assign,assignment]  # it never answers
    return caller


async def new_call(pool: Pool, name: str) -> str:
    """Creates one more call. Returns its key."""
    await database.process(pool, Log().create(payment(name)))
    return f"{payment(name)}:create"


async def ended(caller: Caller) -> None:
    """Ends what is in flight."""
    for task in caller.calls.in_flight():
        task.cancel()
    await caller.finished()


async def called(caller: Caller, *keys: str) -> bool:
    """Lets calls be made. Returns whether these were, in this order."""
    for _ in range(100):
        if len(caller.provider.keys) >= len(keys):
            break
        await asyncio.sleep(0.02)
    return caller.provider.keys == list(keys)


async def test_look_ups_that_hang_hold_up_no_call(pool: Pool, clock: Clock) -> None:
    """Neither a new one nor one that is tried again, however many look-ups were due before."""
    caller = await with_forgotten_keys(pool, clock, FORGOTTEN)
    assert await caller.calls.claim_and_start() == SLOTS // 2
    assert await caller.calls.claim_and_start() == 0
    caller.provider.responses = [Unknown("no answer"), REFUSED, REFUSED]
    again = await new_call(pool, "tried again")
    assert await caller.calls.claim_and_start() == 1
    assert await called(caller, again)
    clock.forward(BASE_S)
    new = await new_call(pool, "new")
    assert await caller.calls.claim_and_start() == 2
    assert await called(caller, again, *sorted([again, new], key=[again, new].index))
    left = "select count(*) from provider_calls where state = 'due' and next_attempt_at <= %s"
    assert await database.rows(pool, left, clock.now) == [(FORGOTTEN - SLOTS // 2,)]
    await ended(caller)


async def test_without_calls_look_ups_take_their_share_again_and_again(
    pool: Pool, clock: Clock
) -> None:
    """None is forgotten: each round looks up as many as there is room for."""
    caller = await with_forgotten_keys(pool, clock, 5)
    looked_up: list[str] = []

    async def refused(call: object, *_: object) -> Refused:
        looked_up.append(str(call))
        return REFUSED

    caller.provider.look_up = refused  # type: ignore[method-assign,assignment]  # it answers
    assert [await caller.round() for _ in range(4)] == [2, 2, 1, 0]
    assert len(set(looked_up)) == 5


async def test_a_call_whose_response_is_repeated_waits_for_room_to_be_looked_up(
    pool: Pool, clock: Clock
) -> None:
    """The provider has answered, so that opens no circuit breaker."""
    caller = await with_forgotten_keys(pool, clock, SLOTS // 2)
    await caller.calls.claim_and_start()
    key = await new_call(pool, "repeats")
    caller.calls._breakers[caller.provider.name]._limit = 1
    caller.provider.responses = [Unknown("HTTP 500", repeats=True)]
    assert await caller.calls.claim_and_start() == 1
    assert await called(caller, key)
    row = "select last_error, next_attempt_at from provider_calls where call_key = %s"
    for _ in range(100):
        ((error, at),) = await database.rows(pool, row, key)
        if error is not None:
            break
        await asyncio.sleep(0.02)
    assert error.startswith("HTTP 500; it can't be looked up while")
    assert at <= clock.now + timedelta(seconds=MAX_S)
    assert not caller.calls._breakers[caller.provider.name].is_open
    await ended(caller)


async def test_a_claim_takes_its_share_of_look_ups_and_calls_beside_them(
    pool: Pool, clock: Clock
) -> None:
    """What has waited longest comes first, as far as there is room for it."""
    keys = sorted(await create_due_calls(pool, 6))
    moved = """update provider_calls set next_attempt_at = %s, attempts = %s, key_first_used_at = %s
        where call_key = %s returning 1"""
    long_ago = NOW - timedelta(hours=30)
    for number, (attempts, first_used_at) in enumerate(
        [(1, long_ago), (1, long_ago), (1, long_ago), (1, NOW), (2, None), (0, None)]
    ):
        due = NOW - timedelta(minutes=10 - number)
        await database.rows(pool, moved, due, attempts, first_used_at, keys[number])
    outbox, until = PostgresOutbox(pool), NOW + timedelta(minutes=1)
    for most, expected in ((1, [0, 3, 4, 5]), (2, [1, 2])):
        share = LookUpShare(most, NOW - timedelta(hours=20))
        claimed = await outbox.claim("stripe", 4, clock.now, until, share)
        assert sorted(each.call.key for each in claimed) == [keys[each] for each in expected]
