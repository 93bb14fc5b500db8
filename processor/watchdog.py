"""Ends a worker that has records to process and does nothing: started anew, it goes on.

After some rebalances Faust waits for ever for what it has dropped. The watchdog has a thread and a
loop of its own, so it also sees that the worker's loop stands still.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from processor.restart import start_anew

log = logging.getLogger(__name__)

#: Looks in the time that a worker may do nothing.
LOOKS: Final = 4
T = TypeVar("T")
Partition = tuple[str, int]
Lag = Callable[[Collection[Partition]], Awaitable[int]]


@dataclass(slots=True)
class Activity:
    """What a worker does; written by its loop, read by the watchdog."""

    batches: int = 0
    under_way: int = 0
    #: What it has to read: given with the last rebalance, none while there is one.
    partitions: frozenset[Partition] = frozenset()

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


class Patience:
    """Decides. Pure: it is told the time, in seconds."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._last: Look | None = None
        self._since = 0.0

    def is_over(self, look: Look, now: float) -> bool:
        """Whether records have waited for so long while nothing moved."""
        last, self._last = self._last, look
        stands = look.lag > 0 and not look.is_busy
        if last is None or not stands or look.progress != last.progress:
            self._since = now
            return False
        return now - self._since >= self._longest_s


async def watch(patience_s: float, look: Callable[[], Awaitable[Look]]) -> None:
    """Returns when the worker has to be started anew."""
    patience = Patience(patience_s)
    while True:
        await asyncio.sleep(patience_s / LOOKS)
        try:
            seen = await look()
        except (KafkaError, OSError) as error:
            log.warning("watchdog.blind error=%r", error)  # nobody can process anything now
            patience = Patience(patience_s)
            continue
        if patience.is_over(seen, monotonic()):
            log.error("stream.stands_still lag=%d: the worker starts anew", seen.lag)
            return


class GroupLag:
    """Records of some partitions that a consumer group has not acknowledged."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._bootstrap = bootstrap
        self._group = group

    async def __call__(self, partitions: Collection[Partition]) -> int:
        """How many. Raises KafkaError."""
        wanted = [TopicPartition(*partition) for partition in partitions]
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        try:
            await admin.start()
            await consumer.start()
            done = await admin.list_consumer_group_offsets(self._group, partitions=wanted)
            ends = await consumer.end_offsets(wanted)
        finally:
            await consumer.stop()
            await admin.close()
        return sum(end - max(0, done[at].offset) for at, end in ends.items() if at in done)


def guard(
    patience_s: float,
    activity: Activity,
    recovering: Callable[[], int],
    lag: Lag,
) -> None:
    """Watches from a thread of its own until the process ends, or ends it."""

    async def look() -> Look:
        if not activity.partitions:
            return Look(0, activity.is_busy, (activity.batches, 0))
        waiting = await lag(activity.partitions)
        return Look(waiting, activity.is_busy, (activity.batches, recovering()))

    def run() -> None:
        asyncio.run(watch(patience_s, look))
        start_anew()

    threading.Thread(target=run, name="watchdog", daemon=True).start()
