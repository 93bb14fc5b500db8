"""What a look-up does not find has not happened only once the provider's lists are complete."""

from datetime import datetime, timedelta

import pytest

from ports.provider import Acknowledged, NotNow, Unknown
from processor.worker.calls.absences import REMEMBERED_MAX, Absences
from processor.worker.calls.dispatcher import SPREAD_S
from tests.support.builders import NOW, Clock
from tests.support.programs.calling import KEY, KEY_S, MAX_S, SETTLES_S, Caller

REPLAYED = Unknown("HTTP 500", repeats=True)


async def _round_at(caller: Caller, clock: Clock, after_s: float) -> None:
    clock.now = NOW + timedelta(seconds=after_s)
    assert await caller.round() == 1


@pytest.mark.anyio
async def test_an_event_that_is_listed_late_is_not_done_a_second_time(
    caller: Caller, clock: Clock
) -> None:
    """The provider failed after it had acted, and lists the event of that a while later."""
    caller.provider.responses = [REPLAYED, REPLAYED]
    caller.provider.found = [None, Acknowledged("pi_1")]
    await _round_at(caller, clock, 0)
    assert await caller.row("state", "last_error") == (
        "due",
        "looked up: it may be listed later",
    )
    await _round_at(caller, clock, SETTLES_S - 1)
    assert caller.provider.keys == [KEY, KEY]
    assert await caller.row("state", "outcome") == ("done", "acknowledged: pi_1")


@pytest.mark.anyio
async def test_after_a_replay_a_call_never_happened_when_the_list_is_complete(
    caller: Caller, clock: Clock
) -> None:
    """From the first replay on, as nothing more can happen under that key; the next has its own."""
    caller.provider.responses = [REPLAYED] * 5
    caller.provider.found = [None] * 5
    for after_s in (0, SETTLES_S - MAX_S, SETTLES_S, SETTLES_S, 2 * SETTLES_S):
        await _round_at(caller, clock, after_s)
    assert caller.provider.keys == [KEY, KEY, KEY, f"{KEY}.1", f"{KEY}.1"]
    assert await caller.row("key_generation") == (2,)


@pytest.mark.anyio
async def test_what_can_be_proved_is_not_waited_for_longer(caller: Caller, clock: Clock) -> None:
    """However long the back-off is by then: of ten tries the last is due when the list is whole."""
    caller.provider.responses = [REPLAYED] * 12
    caller.provider.found = [None] * 12
    for after_s in range(11):
        await _round_at(caller, clock, after_s * (SETTLES_S - 1) / 10)
    (due,) = await caller.row("next_attempt_at")
    assert datetime.fromisoformat(due) <= NOW + timedelta(seconds=SETTLES_S + SPREAD_S)


@pytest.mark.anyio
async def test_with_an_old_key_a_call_never_happened_when_the_list_is_complete(
    caller: Caller, clock: Clock
) -> None:
    """It may have been tried until the key was too old."""
    caller.provider.found = [None, None]
    await _round_at(caller, clock, 0)
    await _round_at(caller, clock, KEY_S + SETTLES_S - 1)
    assert await caller.row("key_generation") == (0,)
    await _round_at(caller, clock, KEY_S + SETTLES_S + MAX_S)
    assert caller.provider.keys == [KEY]
    assert await caller.row("key_generation") == (1,)


@pytest.mark.anyio
async def test_what_was_read_before_the_list_was_complete_is_read_again(
    caller: Caller, clock: Clock
) -> None:
    """A reading goes on as long as the time is the same, and what came late is behind it."""
    caller.provider.responses = [REPLAYED] * 4
    caller.provider.found = [Unknown("not all")] * 4
    for after_s in (0, SETTLES_S - MAX_S, SETTLES_S, SETTLES_S + MAX_S):
        await _round_at(caller, clock, after_s)
    complete_at = NOW + timedelta(seconds=SETTLES_S)
    assert caller.provider.last_tries == [NOW, NOW, complete_at, complete_at]


@pytest.mark.anyio
async def test_a_list_that_became_complete_during_a_look_up_proves_nothing(
    caller: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been read before."""

    async def slow(*_: object) -> None:
        clock.forward(SETTLES_S)

    caller.provider.responses = [REPLAYED]
    monkeypatch.setattr(caller.provider, "look_up", slow)
    await _round_at(caller, clock, 0)
    assert await caller.row("key_generation") == (0,)


@pytest.mark.anyio
async def test_what_the_provider_itself_says_needs_no_list(caller: Caller, clock: Clock) -> None:
    """It answered that it did not act, for now."""
    caller.provider.responses = [NotNow("too early")]
    await _round_at(caller, clock, 0)
    assert await caller.row("key_generation") == (1,)


def test_so_many_keys_are_remembered(clock: Clock) -> None:
    """The oldest is forgotten first, which only makes its call wait once more."""
    absences = Absences(SETTLES_S, clock)
    for number in range(REMEMBERED_MAX + 1):
        absences.replayed(str(number))
    clock.forward(SETTLES_S)
    assert absences.replayed("1") == NOW
    assert absences.replayed("0") == clock.now
