"""Whether something makes progress: it says so again and again, and is late when it doesn't."""

from collections.abc import Callable
from time import monotonic


class Heartbeat:
    """Of one loop: beaten at each step of it, by its own thread; read by any.

    Args:
        clock: seconds since any moment.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self, rest_s: float = 0.0) -> None:
        """A step is done. ``rest_s``: the loop now rests for that long."""
        self._last = self._clock() + rest_s

    @property
    def silent_s(self) -> float:
        """For how long no step was done, a rest left out."""
        return max(0.0, self._clock() - self._last)


def unmonitored_heartbeat() -> Heartbeat:
    """The pulse of a loop that nobody watches."""
    return Heartbeat(lambda: 0.0)
