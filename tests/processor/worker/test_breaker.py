"""A provider that fails again and again is left in peace, then asked once, then asked as before."""

from datetime import timedelta

from processor.worker.breaker import CircuitBreaker
from tests.support.builders import Clock

OPEN_FOR_S = 5.0


def breaker(clock: Clock) -> CircuitBreaker:
    """A breaker that opens at the third failure in a row."""
    return CircuitBreaker(3, timedelta(seconds=OPEN_FOR_S), clock)


def opened(clock: Clock) -> CircuitBreaker:
    """A breaker that has just opened."""
    made = breaker(clock)
    for _ in range(3):
        made.call_failed()
    return made


def test_a_closed_breaker_grants_all_that_is_wanted(clock: Clock) -> None:
    """Nothing is held back while the provider answers, or before failures add up."""
    made = breaker(clock)
    made.call_failed()
    made.call_failed()
    assert not made.is_open
    assert made.admits(16) == 16
    assert made.admits(0) == 0


def test_only_failures_in_a_row_open_it(clock: Clock) -> None:
    """An answer in between, whatever it says, begins the count anew."""
    made = breaker(clock)
    for _ in range(5):
        made.call_failed()
        made.call_failed()
        made.call_succeeded()
    assert not made.is_open
    for _ in range(3):
        made.call_failed()
    assert made.is_open


def test_an_open_breaker_grants_nothing_until_its_time_is_over(clock: Clock) -> None:
    """To the moment: no call before, one after."""
    made = opened(clock)
    assert made.admits(16) == 0
    clock.forward(OPEN_FOR_S - 0.001)
    assert made.admits(16) == 0
    clock.forward(0.001)
    assert made.admits(16) == 1


def test_one_call_tries_and_nobody_beside_it(clock: Clock) -> None:
    """While the one that tries is under way, however long it takes, no other may start."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    made.call_started()
    clock.forward(10 * OPEN_FOR_S)
    assert made.admits(16) == 0


def test_the_try_that_is_answered_closes_it(clock: Clock) -> None:
    """Then all may go again, and it takes as many failures as ever to open it."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    made.call_started()
    made.call_succeeded()
    assert not made.is_open
    assert made.admits(16) == 16
    made.call_failed()
    made.call_failed()
    assert not made.is_open


def test_the_try_that_fails_opens_it_for_another_while(clock: Clock) -> None:
    """One failure is enough now, and the wait begins anew; then one may try again."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    made.call_started()
    made.call_failed()
    assert made.is_open
    clock.forward(OPEN_FOR_S - 0.001)
    assert made.admits(16) == 0
    clock.forward(0.001)
    assert made.admits(16) == 1


def test_nothing_wanted_is_nothing_granted(clock: Clock) -> None:
    """An open breaker whose time is over does not invent a call."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    assert made.admits(0) == 0
