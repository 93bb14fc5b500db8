"""Measures how long ago a loop last made progress."""

from collections.abc import Callable
from time import monotonic


class Heartbeat:
    """The heartbeat of one loop. Its own thread beats it at each step; any thread may read it.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self, rest_s: float = 0.0) -> None:
        """Notes a completed step. The loop now pauses for ``rest_s`` seconds, if it is not 0."""
        self._last = self._clock() + rest_s

    @property
    def silent_s(self) -> float:
        """Seconds since the last step, without the pause that followed it."""
        return max(0.0, self._clock() - self._last)


def unmonitored_heartbeat() -> Heartbeat:
    """Returns a heartbeat that is never late, for a loop that is not monitored."""
    return Heartbeat(lambda: 0.0)
