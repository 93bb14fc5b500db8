"""The simulator's own clock: wall time plus an offset that only grows, until it is reset."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime


class Clock:
    """Tells the simulator's time in seconds since the Unix epoch.

    Args:
        offset_s: how far it runs ahead of the wall.
        wall: the wall clock, in seconds since the Unix epoch.
    """

    def __init__(self, offset_s: float = 0.0, wall: Callable[[], float] = time.time) -> None:
        self._offset_s = offset_s
        self._wall = wall

    @property
    def offset_s(self) -> float:
        """How far the clock runs ahead of the wall."""
        return self._offset_s

    def now(self) -> float:
        """The simulator's time."""
        return self._wall() + self._offset_s

    def seconds(self) -> int:
        """The simulator's time in whole seconds, as Stripe dates its objects."""
        return int(self.now())

    def wall(self) -> float:
        """The wall's time, which an advance doesn't move."""
        return self._wall()

    def advance_to(self, instant: float) -> None:
        """Move forward to an instant; an instant already past changes nothing."""
        self._offset_s += max(0.0, instant - self.now())

    def reset(self) -> None:
        """Go back to the wall's time."""
        self._offset_s = 0.0

    def http_date(self) -> str:
        """The simulator's time as an HTTP `Date`."""
        return format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True)
