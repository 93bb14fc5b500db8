"""The simulator's clock: wall time plus an offset that only grows until it is reset."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime


class Clock:
    """The simulator's time, in seconds since the Unix epoch.

    Args:
        offset_s: seconds ahead of the wall clock.
        wall: the wall clock, in seconds since the Unix epoch.
    """

    def __init__(self, offset_s: float = 0.0, wall: Callable[[], float] = time.time) -> None:
        self._offset_s = offset_s
        self._wall = wall

    @property
    def offset_s(self) -> float:
        """Seconds ahead of the wall clock."""
        return self._offset_s

    def now(self) -> float:
        """The simulator's time."""
        return self._wall() + self._offset_s

    def seconds(self) -> int:
        """The simulator's time in whole seconds, as Stripe dates its objects."""
        return int(self.now())

    def wall(self) -> float:
        """The wall clock's time, which an advance does not change."""
        return self._wall()

    def advance_to(self, instant: float) -> None:
        """Move forward to an instant; a past instant changes nothing."""
        self._offset_s += max(0.0, instant - self.now())

    def reset(self) -> None:
        """Return to the wall clock's time."""
        self._offset_s = 0.0

    def http_date(self) -> str:
        """The simulator's time as an HTTP ``Date``."""
        return format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True)
