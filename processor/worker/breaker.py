"""A circuit breaker per provider: while it is open no call is made, then one, then all again."""

from collections.abc import Callable
from datetime import datetime, timedelta


class Breaker:
    """Opens after ``failures`` in a row; after ``open_for`` it lets a single call try."""

    def __init__(self, failures: int, open_for: timedelta, clock: Callable[[], datetime]) -> None:
        self._limit = failures
        self._open_for = open_for
        self._clock = clock
        self._failed = 0
        self._opened_at: datetime | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls have to wait, as far as is known."""
        return self._opened_at is not None

    def room(self, wanted: int) -> int:
        """How many of the wanted calls may be made now."""
        if self._opened_at is None:
            return wanted
        if self._trying or self._clock() - self._opened_at < self._open_for:
            return 0
        return min(wanted, 1)

    def started(self) -> None:
        """A call begins; with the breaker open it is the one that tries."""
        self._trying = self._opened_at is not None

    def succeeded(self) -> None:
        """The provider answered, whatever it said: it is there."""
        self._failed, self._opened_at, self._trying = 0, None, False

    def failed(self) -> None:
        """The provider did not answer, or not to the point."""
        self._failed += 1
        self._trying = False
        if self._failed >= self._limit:
            self._opened_at = self._clock()
