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
from ports.failures import BROKERS_AWAY
from runtime.logs import get_logger
from runtime.restart import restart_process

log = get_logger(__name__)

#: Observations within the stall timeout.
LOOKS: Final = 4
#: After this many unforeseen failures in a row the worker restarts: it must not run unwatched.
FAILURES_MAX: Final = 2 * LOOKS
T = TypeVar("T")
Lag = Callable[[Collection[Partition]], Awaitable[int]]


@dataclass(slots=True)
class Activity:
    """What a worker is doing; written by its loop, read by the watchdog."""

    batches: int = 0
    under_way: int = 0
    #: Whether partitions are assigned; false before the first assignment and during a rebalance.
    is_assigned: bool = False
    #: The assigned partitions of the sources; none during a rebalance.
    partitions: frozenset[Partition] = frozenset()
    #: Records of the table that are still to be recovered, as last noted by its loop.
    recovering: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether a batch is under way. It has timeouts of its own."""
        return self.under_way > 0

    async def noting(self, batches: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yields the batches and counts each as under way."""
        async for batch in batches:
            self.under_way += 1
            yield batch

    def done(self) -> None:
        """Counts a batch as done."""
        self.under_way -= 1
        self.batches += 1


@dataclass(frozen=True, slots=True)
class Look:
    """One observation: the records that wait, and everything that shows progress."""

    lag: int
    is_busy: bool
    #: Batches done, and records of the table that are still to be recovered.
    progress: tuple[int, int]
    #: No partitions are assigned: a rebalance is under way, and may never end.
    is_rebalancing: bool = False


class Patience:
    """Decides whether the worker is stalled. Pure; the time is a parameter, in seconds."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._last: Look | None = None
        self._since = 0.0

    def is_over(self, look: Look, now: float) -> bool:
        """Whether records waited, or a rebalance ran, for that long without any progress."""
        last, self._last = self._last, look
        is_still = (look.lag > 0 or look.is_rebalancing) and not look.is_busy
        if last is None or not is_still or look.progress != last.progress:
            self._since = now
            return False
        return now - self._since >= self._longest_s


async def watch(patience_s: float, look: Callable[[], Awaitable[Look]]) -> None:
    """Returns when the worker has to be restarted."""
    patience, failures = Patience(patience_s), 0
    while True:
        await asyncio.sleep(patience_s / LOOKS)
        try:
            observed = await look()
        except BROKERS_AWAY as error:
            log.warning("watchdog.blind", error=repr(error))  # no worker can process anything now
            patience, failures = Patience(patience_s), 0
            continue
        except Exception:
            failures += 1
            log.exception("watchdog.failed", in_a_row=failures, note="unforeseen")
            if failures == FAILURES_MAX:
                return
            continue
        failures = 0
        if patience.is_over(observed, monotonic()):
            log.error(
                "stream.stalled",
                lag=observed.lag,
                rebalancing=observed.is_rebalancing,
                note="the worker restarts",
            )
            return


def guard(patience_s: float, activity: Activity, lag: Lag, on_answer: Callable[[], None]) -> None:
    """Watches from a thread of its own; restarts the process when it is stalled.

    Args:
        patience_s: how long records may wait without any progress, in seconds.
        activity: what the worker is doing.
        lag: returns how many records wait in these partitions; asks the brokers, also for none.
        on_answer: called whenever the brokers have answered.
    """

    async def look() -> Look:
        waiting = await lag(activity.partitions)
        on_answer()
        progress = (activity.batches, activity.recovering)
        return Look(waiting, activity.is_busy, progress, is_rebalancing=not activity.is_assigned)

    def run() -> None:
        try:
            asyncio.run(watch(patience_s, look))
        except BaseException:
            log.exception("watchdog.ended", note="the worker restarts: nothing would watch it")
        restart_process()

    threading.Thread(target=run, name="watchdog", daemon=True).start()
