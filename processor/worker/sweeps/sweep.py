"""What the leading worker does again and again: one sweep, with a clock of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from processor.worker.sweeps.leadership import Leadership
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.tasks import with_timeout

T = TypeVar("T")

#: The wait after a first failure, in seconds. It doubles with each further one.
FIRST_WAIT_S: Final = 1.0
#: The longest wait of a sweep that may not run, because another process leads, in seconds.
FOLLOWING_S: Final = 2.0


class LeadershipLostError(Exception):
    """Another process may lead now. What was begun is left to it."""


class Turn:
    """One run of a sweep.

    Args:
        leadership: whether the run may go on.
        heartbeat: beaten at each step.
    """

    def __init__(self, leadership: Leadership, heartbeat: Heartbeat) -> None:
        self._leadership = leadership
        self._heartbeat = heartbeat

    def step(self, rest_s: float = 0.0) -> None:
        """Notes a step, after which the sweep rests. Raises LeadershipLostError."""
        self._heartbeat.beat(rest_s)
        if not self._leadership.is_held:
            raise LeadershipLostError


@dataclass(frozen=True, slots=True)
class Sweep:
    """One line of the table of sweeps."""

    #: The name of its loop, and its label in the metrics.
    name: str
    #: Seconds from one run's end to the next one's beginning, before jitter.
    every_s: float
    run: Callable[[Turn], Awaitable[None]]
    #: Called when a run fails, and while another process leads: what it showed may be wrong now.
    withdraw: Callable[[], None] = lambda: None
    heartbeat: Heartbeat = field(default_factory=unmonitored_heartbeat)

    def wait_s(self, failures: int) -> float:
        """Returns the seconds until the next run after so many failures in a row."""
        if not failures:
            return self.every_s
        return min(self.every_s, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30))


class Pace:
    """The pace of the requests to one provider, which its sweeps share.

    Calls need the provider's rate limit too.
    """

    def __init__(self, per_s: float) -> None:
        self._interval_s = 1 / per_s
        self._free_at = 0.0

    async def pause(self, turn: Turn, requests: int = 1) -> None:
        """Waits for as long as so many requests take. Raises LeadershipLostError."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + requests * self._interval_s
        rest_s = self._free_at - now
        turn.step(rest_s)
        await asyncio.sleep(rest_s)


async def with_timeout_each(timeout_s: float, pages: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yields the pages. Raises TimeoutError if one takes longer than ``timeout_s`` seconds."""
    reading = aiter(pages)
    while True:
        try:
            page = await with_timeout(timeout_s, anext(reading))
        except StopAsyncIteration:
            return
        yield page
