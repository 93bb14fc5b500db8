"""Restarts a worker that makes no progress although records wait.

After some rebalances Faust waits for ever for records that it has dropped; some rebalances never
end. The watchdog has a thread and an event loop of its own, so it also detects that the worker's
loop is blocked. It reads only ``Activity``, never Faust's own data.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeVar

from messaging.lag import Partition
from ports.failures import BROKERS_UNAVAILABLE
from runtime.logs import get_logger
from runtime.restart import restart_process

log = get_logger(__name__)

#: Observations within the stall timeout.
OBSERVATIONS: Final = 4
#: After this many unforeseen failures in a row the worker restarts: it must not run unwatched.
FAILURES_MAX: Final = 2 * OBSERVATIONS
T = TypeVar("T")
Lag = Callable[[Collection[Partition]], Awaitable[int]]


@dataclass(slots=True, kw_only=True)
class Activity:
    """What a worker is doing; written by its loop, read by the watchdog."""

    batches: int = 0
    in_flight: int = 0
    #: Whether partitions are assigned; false before the first assignment and during a rebalance.
    is_assigned: bool = False
    #: The assigned partitions of the sources; none during a rebalance.
    partitions: frozenset[Partition] = frozenset()
    #: Records of the table that are still to be recovered, as last recorded by its loop.
    recovering: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether a batch is in flight. It has timeouts of its own."""
        return self.in_flight > 0

    async def counted(self, batches: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yields the batches and counts each as in flight."""
        async for batch in batches:
            self.in_flight += 1
            yield batch

    def done(self) -> None:
        """Counts a batch as done."""
        self.in_flight -= 1
        self.batches += 1


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation: the records that wait, and everything that shows progress."""

    lag: int
    is_busy: bool
    #: Batches done, and records of the table that are still to be recovered.
    progress: tuple[int, int]
    #: No partitions are assigned: a rebalance is under way, and may never end.
    is_rebalancing: bool = False


class StallDetector:
    """Decides whether the worker is stalled. Pure; the time is a parameter, in seconds."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._last: Observation | None = None
        self._since = 0.0

    def is_stalled(self, observation: Observation, now: float) -> bool:
        """Whether records waited, or a rebalance ran, for that long without any progress."""
        last, self._last = self._last, observation
        is_still = (observation.lag > 0 or observation.is_rebalancing) and not observation.is_busy
        if last is None or not is_still or observation.progress != last.progress:
            self._since = now
            return False
        return now - self._since >= self._timeout_s


async def watch(stall_timeout_s: float, observe: Callable[[], Awaitable[Observation]]) -> None:
    """Returns when the worker has to be restarted."""
    detector, failures = StallDetector(stall_timeout_s), 0
    while True:
        await asyncio.sleep(stall_timeout_s / OBSERVATIONS)
        try:
            observation = await observe()
        except BROKERS_UNAVAILABLE as error:
            log.warning("watchdog.blind", error=repr(error))  # no worker can process anything now
            detector, failures = StallDetector(stall_timeout_s), 0
            continue
        except Exception:
            failures += 1
            log.exception("watchdog.failed", in_a_row=failures, note="unforeseen")
            if failures == FAILURES_MAX:
                return
            continue
        failures = 0
        if detector.is_stalled(observation, monotonic()):
            log.error(
                "stream.stalled",
                lag=observation.lag,
                rebalancing=observation.is_rebalancing,
                note="the worker restarts",
            )
            return


def guard(
    stall_timeout_s: float, activity: Activity, lag: Lag, on_answer: Callable[[], None]
) -> None:
    """Watches from a thread of its own; restarts the process when it is stalled.

    Args:
        stall_timeout_s: how long records may wait without any progress, in seconds.
        activity: what the worker is doing.
        lag: returns how many records wait in these partitions; asks the brokers, also for none.
        on_answer: called whenever the brokers have answered.
    """

    async def observe() -> Observation:
        waiting = await lag(activity.partitions)
        on_answer()
        progress = (activity.batches, activity.recovering)
        return Observation(
            waiting, activity.is_busy, progress, is_rebalancing=not activity.is_assigned
        )

    def run() -> None:
        try:
            asyncio.run(watch(stall_timeout_s, observe))
        except BaseException:
            log.exception("watchdog.ended", note="the worker restarts: nothing would watch it")
        restart_process()

    threading.Thread(target=run, name="watchdog", daemon=True).start()
