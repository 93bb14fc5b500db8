"""A circuit breaker for one provider."""

from collections.abc import Callable
from datetime import datetime, timedelta


class CircuitBreaker:
    """Opens after several failures in a row. An open breaker admits one trial call at a time.

    Args:
        failures: how many failures in a row open it.
        open_for: how long it admits no call after it opened.
        clock: the current time in UTC.
    """

    def __init__(self, failures: int, open_for: timedelta, clock: Callable[[], datetime]) -> None:
        self._limit = failures
        self._open_for = open_for
        self._clock = clock
        self._failed = 0
        self._opened_at: datetime | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls have to wait."""
        return self._opened_at is not None

    def admits(self, wanted: int) -> int:
        """Returns how many of the wanted calls may start now."""
        if self._opened_at is None:
            return wanted
        if self._trying or self._opened_at <= self._clock() < self._opened_at + self._open_for:
            return 0  # a clock that was set back ends the wait
        return min(wanted, 1)

    def call_started(self) -> None:
        """Notes that a call starts. If the breaker is open, this is the trial call."""
        self._trying = self._opened_at is not None

    def call_succeeded(self) -> None:
        """Notes a definite response, a refusal included: the provider is available."""
        self._failed, self._opened_at, self._trying = 0, None, False

    def call_not_made(self) -> None:
        """Notes that a call ended before the provider was asked: nothing is known of it."""
        self._trying = False

    def call_failed(self) -> None:
        """Notes a call without a definite response."""
        self._failed += 1
        self._trying = False
        if self._failed >= self._limit:
            self._opened_at = self._clock()
