"""A provider's response leads to a result, a retry or a look-up; never to a guess."""

import random
from datetime import timedelta
from typing import Any, Final

import pytest

from domain.call_key import Operation
from domain.inputs import CallResult, Failure
from ports.provider import (
    Acknowledged,
    NotNow,
    NotSent,
    ProviderUnavailableError,
    RateLimitedError,
    Refused,
    Unknown,
)
from ports.rate_budget import Unlimited
from postgres.stores import Pool
from processor.worker.calls.dispatcher import SPREAD_S
from schemas.identity import result_event_id
from schemas.topics import PROVIDER_RESULTS
from tests.support import database
from tests.support.builders import NOW, Clock, Log
from tests.support.programs.calling import BASE_S, KEY, KEY_S, MAX_S, SETTLES_S, Caller, as_input
from tests.support.programs.folding import ONE

pytestmark = pytest.mark.anyio


async def test_an_acknowledgement_is_published_and_the_call_done(caller: Caller) -> None:
    """The result has the object's ID and the payment's key; the call is not repeated."""
    caller.provider.responses = [Acknowledged("pi_1")]
    assert await caller.round() == 1
    (sent,) = caller.outbox.records
    assert sent.topic == PROVIDER_RESULTS
    result = as_input(sent)
    assert result.payment_id == ONE
    assert result.event_id == result_event_id(KEY)
    assert result.input.body == CallResult(KEY, Operation.CREATE, "pi_1", None)
    assert caller.provider.keys == [KEY]
    assert await caller.row("state", "outcome") == ("done", "acknowledged: pi_1")
    assert await caller.round() == 0


async def test_a_refusal_is_a_result_too(caller: Caller) -> None:
    """It has the provider's code and message, and the call is done."""
    caller.provider.responses = [Refused("no_such_method", "There is no such method.")]
    await caller.round()
    body = as_input(*caller.outbox.records).input.body
    assert body == CallResult(
        KEY, Operation.CREATE, None, Failure("no_such_method", "There is no such method.")
    )
    assert await caller.row("state", "outcome") == ("done", "refused: no_such_method")


async def test_a_refusal_without_a_code_is_a_result(caller: Caller) -> None:
    """A provider may send none. The call must not be made again for that."""
    caller.provider.responses = [Refused("", "\0")]
    await caller.round()
    body = as_input(*caller.outbox.records).input.body
    refusal = Failure("unknown", "\N{REPLACEMENT CHARACTER}")
    assert body == CallResult(KEY, Operation.CREATE, None, refusal)
    assert (await caller.row("state"))[0] == "done"


async def test_an_unknown_outcome_is_retried_under_the_same_key(
    caller: Caller, clock: Clock
) -> None:
    """Nothing is published; the back-off grows up to its limit."""
    for number, wait_s in enumerate([1.0, 2.0, 4.0, 8.0, 8.0], start=1):
        assert await caller.round() == 1
        assert await caller.row("attempts", "state", "last_error") == (number, "due", "no answer")
        assert await caller.due_at() == clock.now + timedelta(seconds=wait_s)
        clock.forward(wait_s - 0.001)
        assert await caller.round() == 0
        clock.forward(0.001)
    assert caller.provider.keys == [KEY] * 5
    assert caller.outbox.records == []


async def test_the_back_off_has_jitter(pool: Pool, clock: Clock) -> None:
    """Calls that failed together are not retried together, and none later than allowed."""
    log = Log()
    names = [f"{ONE[:-2]}{a}{b}" for a in "abcd" for b in "abcde"]
    await database.process(pool, *(log.create(name) for name in names))
    caller = Caller(pool, clock, call_concurrency=100)
    caller.calls._rng = random.Random(7)  # noqa: S311  # jitter is no secret
    assert await caller.round() == len(names)
    due = await database.rows(pool, "select next_attempt_at from provider_calls")
    waits = {(at - clock.now).total_seconds() for (at,) in due}
    assert len(waits) == len(names)
    assert 0 <= min(waits) < 0.5 < max(waits) <= BASE_S


async def test_a_wait_that_the_provider_names_is_respected(caller: Caller, clock: Clock) -> None:
    """Even if the back-off would be shorter."""
    caller.provider.responses = [Unknown("slow down", retry_after_s=77.0)]
    await caller.round()
    assert await caller.due_at() == clock.now + timedelta(seconds=77)


async def test_a_call_that_may_succeed_later_is_retried_under_the_next_key(
    caller: Caller, clock: Clock
) -> None:
    """The old key would replay the old response. The result has the same event ID."""
    caller.provider.responses = [NotNow("too early"), NotNow("too early"), Acknowledged("pi_1")]
    for wait_s in (1.0, 2.0, 0.0):
        assert await caller.round() == 1
        clock.forward(wait_s)
    assert caller.provider.keys == [KEY, f"{KEY}.1", f"{KEY}.2"]
    assert as_input(*caller.outbox.records).event_id == result_event_id(KEY)


#: What a look-up finds, and the row afterwards.
FOUND: Final[dict[str, tuple[Any, tuple[str, str | None, str | None]]]] = {
    "it happened": (Acknowledged("pi_1"), ("done", "acknowledged: pi_1", None)),
    "it was refused": (Refused("no", "No."), ("done", "refused: no", None)),
    "it is unavailable": (
        ProviderUnavailableError("down"),
        ("due", None, "can't be looked up: down"),
    ),
}


@pytest.mark.parametrize("what", FOUND)
async def test_after_the_keys_lifetime_the_call_is_looked_up(
    caller: Caller, clock: Clock, what: str
) -> None:
    """The provider may not know the key any more, so nothing is tried before the look-up."""
    found, expected = FOUND[what]
    await caller.round()
    clock.forward(KEY_S)
    caller.provider.found = [found]
    assert await caller.round() == 1
    assert caller.provider.looked_up == [(KEY, NOW)]
    assert caller.provider.keys == [KEY]
    assert await caller.row("state", "outcome", "last_error") == expected


async def test_a_call_that_never_happened_is_retried_at_once_under_a_new_key(
    caller: Caller, clock: Clock
) -> None:
    """The new key has a lifetime of its own."""
    await caller.round()
    clock.forward(KEY_S + SETTLES_S)
    caller.provider.found = [None]
    await caller.round()
    assert await caller.due_at() == clock.now
    assert await caller.row("key_generation", "key_first_used_at") == (1, None)
    await caller.round()
    assert caller.provider.keys == [KEY, f"{KEY}.1"]
    clock.forward(KEY_S - 1)
    await caller.round()
    assert caller.provider.keys == [KEY, f"{KEY}.1", f"{KEY}.1"]


async def test_a_look_up_begins_where_the_first_key_was_used(caller: Caller, clock: Clock) -> None:
    """An object made under an earlier key must be found, or the customer pays twice."""
    for _ in range(2):
        await caller.round()
        clock.forward(KEY_S)
        caller.provider.found = [None]
        await caller.round()
    assert caller.provider.looked_up == [(KEY, NOW), (KEY, NOW)]


async def test_a_look_up_knows_when_its_key_was_last_used(caller: Caller, clock: Clock) -> None:
    """What was made later is not the call's; the time is the same for all look-ups of one key."""
    await caller.round()
    caller.provider.found = [Unknown("not all"), Unknown("not all"), None]
    clock.forward(KEY_S + SETTLES_S)
    for _ in range(3):
        await caller.round()
        clock.forward(MAX_S)
    assert caller.provider.last_tries == [NOW + timedelta(seconds=KEY_S + SETTLES_S)] * 3


async def test_a_call_that_may_succeed_later_is_not_retried_at_once(
    caller: Caller, clock: Clock
) -> None:
    """The state at the provider has to change first."""
    caller.provider.responses = [NotNow("too early"), NotNow("too early")]
    for wait_s in (1.0, 2.0):
        await caller.round()
        assert await caller.due_at() == clock.now + timedelta(seconds=wait_s)
        clock.forward(wait_s)


async def test_a_call_tried_for_weeks_is_tried_again(caller: Caller, clock: Clock) -> None:
    """After thousands of attempts the back-off is at its limit, and does not overflow."""
    await database.rows(caller.pool, "update provider_calls set attempts = 5000 returning 1")
    await caller.round()
    assert caller.errors() == 0
    assert await caller.due_at() == clock.now + timedelta(seconds=MAX_S)


def _in_json(value: bytes) -> str:
    """Bytes as Postgres writes them in JSON."""
    return f"\\x{value.hex()}"


async def test_every_try_under_a_key_sends_what_the_first_one_sent(
    caller: Caller, clock: Clock
) -> None:
    """A later release builds another request; under the same key that would be an error."""
    caller.provider.responses = [Unknown("lost"), Unknown("lost"), NotNow("early"), Unknown("lost")]
    for release in ("one", "two", "three", "four"):
        caller.provider.release = release
        assert await caller.round() == 1
        clock.forward(60)
    one, four = f"one {KEY}".encode(), f"four {KEY}".encode()
    assert caller.provider.sent == [one, one, one, four]
    assert await caller.row("sent") == (_in_json(four),)


async def test_the_request_is_kept_before_it_is_sent_and_until_the_call_is_done(
    caller: Caller, clock: Clock
) -> None:
    """A worker that dies in between has sent nothing, or what is kept."""
    caller.provider.responses = [RuntimeError("it died"), Acknowledged("pi_1")]
    await caller.round()
    assert await caller.row("sent") == (_in_json(f"one {KEY}".encode()),)
    clock.forward(60)
    await caller.round()
    assert await caller.row("state", "sent") == ("done", None)


async def test_a_call_that_the_provider_cannot_do_is_refused_unsent(caller: Caller) -> None:
    """It was never sent, so nothing can have happened."""
    caller.provider.refuses = Refused("amount_too_small", "Less than the minimum.")
    await caller.round()
    assert (caller.provider.keys, await caller.row("state")) == ([], ("done",))


async def test_a_response_that_would_be_replayed_is_looked_up_at_once(caller: Caller) -> None:
    """The provider keeps replaying its stored 500, so retrying cannot help."""
    caller.provider.responses = [Unknown("HTTP 500", repeats=True)]
    caller.provider.found = [Acknowledged("pi_1")]
    await caller.round()
    assert caller.provider.looked_up == [(KEY, NOW)]
    assert await caller.row("state") == ("done",)


async def test_a_call_that_was_not_sent_is_due_again_under_its_key(
    caller: Caller, clock: Clock
) -> None:
    """When the rate budget says, and soon, however often it was put off: it did not fail."""
    for number in range(1, 5):
        caller.provider.responses = [NotSent("the budget is used up", 3.0)]
        assert await caller.round() == 1
        assert await caller.row("attempts", "last_error") == (number, "the budget is used up")
        assert await caller.due_at() == clock.now + timedelta(seconds=3.0 + SPREAD_S)
        clock.forward(3.0 + SPREAD_S)
    assert caller.provider.keys == [KEY] * 4
    assert caller.outbox.records == []


async def test_a_look_up_that_the_rate_limit_forbids_is_put_off(
    caller: Caller, clock: Clock
) -> None:
    """Nothing is known of the call, and nothing is wrong with the provider."""
    clock.forward(0)
    await caller.round()
    clock.forward(KEY_S)
    caller.provider.found = [RateLimitedError("blocked", 20.0), Acknowledged("pi_1")]
    assert await caller.round() == 1
    assert await caller.row("state", "last_error") == ("due", "can't be looked up: blocked")
    assert await caller.due_at() == clock.now + timedelta(seconds=20.0 + SPREAD_S)
    clock.forward(20.0 + SPREAD_S)
    assert await caller.round() == 1
    assert await caller.row("state", "outcome") == ("done", "acknowledged: pi_1")


async def test_no_call_is_claimed_while_its_account_is_blocked(caller: Caller) -> None:
    """Thousands of due calls are not claimed and put off, one by one, during a block."""
    budget = Blocked()
    caller.calls._budgets = {caller.provider.name: budget}
    assert await caller.round() == 0
    assert await caller.row("attempts") == (0,)
    budget.blocked_s = 0.0
    assert await caller.round() == 1


class Blocked(Unlimited):
    """The rate budget of an account that is blocked."""

    blocked_s = 1.0
