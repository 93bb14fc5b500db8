"""The circuit breaker: open after failures in a row, then one trial call, then closed."""

from datetime import timedelta

from processor.worker.calls.breaker import CircuitBreaker
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


def test_a_closed_breaker_admits_all_calls(clock: Clock) -> None:
    """All calls are admitted until there are enough failures in a row."""
    made = breaker(clock)
    made.call_failed()
    made.call_failed()
    assert not made.is_open
    assert made.admits(16) == 16
    assert made.admits(0) == 0


def test_only_failures_in_a_row_open_it(clock: Clock) -> None:
    """A success in between resets the count."""
    made = breaker(clock)
    for _ in range(5):
        made.call_failed()
        made.call_failed()
        made.call_succeeded()
    assert not made.is_open
    for _ in range(3):
        made.call_failed()
    assert made.is_open


def test_an_open_breaker_admits_nothing_until_its_time_is_over(clock: Clock) -> None:
    """No call before that moment, one after it."""
    made = opened(clock)
    assert made.admits(16) == 0
    clock.forward(OPEN_FOR_S - 0.001)
    assert made.admits(16) == 0
    clock.forward(0.001)
    assert made.admits(16) == 1


def test_a_clock_that_is_set_back_does_not_keep_it_open(clock: Clock) -> None:
    """It would stay open for as long as the clock had been ahead."""
    clock.forward(3600)
    made = opened(clock)
    clock.forward(-3600)
    assert made.admits(16) == 1
    made.call_started()
    made.call_failed()
    assert made.admits(16) == 0


def test_there_is_one_trial_call_at_a_time(clock: Clock) -> None:
    """While the trial call is in flight, no other call may start."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    made.call_started()
    clock.forward(10 * OPEN_FOR_S)
    assert made.admits(16) == 0


def test_a_successful_trial_call_closes_it(clock: Clock) -> None:
    """Then all calls are admitted, and it takes as many failures as before to open it."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    made.call_started()
    made.call_succeeded()
    assert not made.is_open
    assert made.admits(16) == 16
    made.call_failed()
    made.call_failed()
    assert not made.is_open


def test_a_failed_trial_call_keeps_it_open(clock: Clock) -> None:
    """The wait starts again, and then one more trial call is admitted."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    made.call_started()
    made.call_failed()
    assert made.is_open
    clock.forward(OPEN_FOR_S - 0.001)
    assert made.admits(16) == 0
    clock.forward(0.001)
    assert made.admits(16) == 1


def test_a_breaker_admits_no_more_calls_than_requested(clock: Clock) -> None:
    """Not even the trial call."""
    made = opened(clock)
    clock.forward(OPEN_FOR_S)
    assert made.admits(0) == 0
