"""Ends a worker that has records to process and does nothing: started anew, it goes on.

After some rebalances Faust waits for ever for what it has dropped, and some never end. The watchdog
has a thread and a loop of its own, so it also sees that the worker's loop stands still. It reads
only what that loop has written down for it, never Faust's own data.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeVar

from aiokafka.errors import KafkaError

from processor.lag import Partition
from processor.restart import start_anew

log = logging.getLogger(__name__)

#: Looks in the time that a worker may do nothing.
LOOKS: Final = 4
#: Looks in a row that may fail in a way nobody foresaw: a worker that nobody watches is ended.
FAILURES_MAX: Final = 2 * LOOKS
T = TypeVar("T")
Lag = Callable[[Collection[Partition]], Awaitable[int]]


@dataclass(slots=True)
class Activity:
    """What a worker does; written by its loop, read by the watchdog."""

    batches: int = 0
    under_way: int = 0
    #: Whether it has an assignment; not before the first one, and not during a rebalance.
    is_assigned: bool = False
    #: What it has to read: given with the last rebalance, none while there is one.
    partitions: frozenset[Partition] = frozenset()
    #: Records of the table that are still to be recovered, as its loop saw it last.
    recovering: int = 0

    @property
    def is_busy(self) -> bool:
        """A batch is under way: it may wait for Postgres or the brokers, within its own limits."""
        return self.under_way > 0

    async def noting(self, batches: AsyncIterator[T]) -> AsyncIterator[T]:
        """The batches, each noted as under way."""
        async for batch in batches:
            self.under_way += 1
            yield batch

    def done(self) -> None:
        """One of them is done."""
        self.under_way -= 1
        self.batches += 1


@dataclass(frozen=True, slots=True)
class Look:
    """What the watchdog sees: records that wait, and all that may move while they do."""

    lag: int
    is_busy: bool
    #: Batches done, and records of the table that are still to be recovered.
    progress: tuple[int, int]
    #: It has no assignment: a rebalance is under way, which may never end.
    is_rebalancing: bool = False


class Patience:
    """Decides. Pure: it is told the time, in seconds."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._last: Look | None = None
        self._since = 0.0

    def is_over(self, look: Look, now: float) -> bool:
        """Whether records waited, or a rebalance went on, for so long while nothing moved."""
        last, self._last = self._last, look
        stands = (look.lag > 0 or look.is_rebalancing) and not look.is_busy
        if last is None or not stands or look.progress != last.progress:
            self._since = now
            return False
        return now - self._since >= self._longest_s


async def watch(patience_s: float, look: Callable[[], Awaitable[Look]]) -> None:
    """Returns when the worker has to be started anew."""
    patience, failures = Patience(patience_s), 0
    while True:
        await asyncio.sleep(patience_s / LOOKS)
        try:
            seen = await look()
        except (KafkaError, OSError) as error:
            log.warning("watchdog.blind error=%r", error)  # nobody can process anything now
            patience, failures = Patience(patience_s), 0
            continue
        except Exception:
            failures += 1
            log.exception("watchdog.failed in_a_row=%d: nobody foresaw this", failures)
            if failures == FAILURES_MAX:
                return
            continue
        failures = 0
        if patience.is_over(seen, monotonic()):
            log.error(
                "stream.stands_still lag=%d rebalancing=%s: the worker starts again",
                seen.lag, seen.is_rebalancing,
            )  # fmt: skip
            return


def guard(patience_s: float, activity: Activity, lag: Lag, seen: Callable[[], None]) -> None:
    """Watches from a thread of its own until the process ends, or ends it.

    Args:
        patience_s: how long records may wait while nothing moves, in seconds.
        activity: what the worker does.
        lag: the records that wait in some partitions; it asks the brokers, also for none.
        seen: called whenever the brokers have answered.
    """

    async def look() -> Look:
        waiting = await lag(activity.partitions)
        seen()
        progress = (activity.batches, activity.recovering)
        return Look(waiting, activity.is_busy, progress, is_rebalancing=not activity.is_assigned)

    def run() -> None:
        try:
            asyncio.run(watch(patience_s, look))
        except BaseException:
            log.exception("watchdog.ended: the worker starts again, it would be watched by nobody")
        start_anew()

    threading.Thread(target=run, name="watchdog", daemon=True).start()
