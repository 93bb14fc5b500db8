"""Follows topics outside of any consumer group, and knows how far it has read.

Entering a follower does not wait for a broker. One that fails connects again, and goes on where it
was if the log still has that.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Final, Self

from aiokafka import ConsumerRecord, TopicPartition

from messaging.end_offsets import EndOffsets
from messaging.kafka_internals.consumer import TolerantConsumer
from messaging.lifetime import close_consumer, start_client
from messaging.log_reader import (
    CLOSE_TIMEOUT_S,
    FETCHED_BYTES,
    REQUEST_TIMEOUT_MS,
    START_TIMEOUT_S,
    Extent,
    partitions_of,
)
from ports.errors import TopicsNotReadyError
from ports.failures import RETRYABLE_ON_CONNECT
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, is_cancelled
from schemas.topics import fetching

#: The back-off between two attempts to connect, in seconds, with full jitter.
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0
#: A connection that lasted as long makes the next back-off short again.
STABLE_AFTER_S: Final = 30.0
#: How many records are handed over before other tasks have their turn.
RECORDS_MAX: Final = 500
_POLL_MS: Final = 500
#: A question for an end is answered at once or not at all; nobody waits for it longer.
_ASKING_TIMEOUT_MS: Final = 2_000

Positions = Mapping[TopicPartition, int]
Records = Sequence[ConsumerRecord[bytes, bytes]]
#: Returns where to begin, from what the log has and where the follower was (nowhere at first).
Begin = Callable[[Extent, Positions], Awaitable[Positions]]

_log = get_logger(__name__)


class LogFollower:
    """An async context manager that hands over committed records of some topics as they come.

    Args:
        bootstrap: the brokers.
        topics: the topics, all with as many partitions.
        partitions: how many these are.
        begin: see ``Begin``; called at each connection.
        take: is handed some records of one partition, in order. It must not raise.
        lost: called when a connection is over.
        paused: it begins to fetch when ``go_on`` is called, and not before.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str],
        partitions: int,
        *,
        begin: Begin,
        take: Callable[[Records], None],
        lost: Callable[[], None] = lambda: None,
        paused: bool = False,
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._partitions = partitions
        self._begin = begin
        self._take = take
        self._lost = lost
        self._paused = paused
        self._positions: dict[TopicPartition, int] = {}
        self._reading: TolerantConsumer | None = None
        self._ends: EndOffsets | None = None
        self._changed = asyncio.Event()
        self._reason = ""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="log-following")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def is_connected(self) -> bool:
        """Whether records are handed over as they come."""
        return self._ends is not None

    async def catch_up(self, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Returns once all is handed over that these partitions, or all, had when it was called.

        Waits for a connection, so the caller sets the timeout. Raises KafkaError.
        """
        while self._ends is None:
            await self._next_change()
        ends = await self._ends.of(self._positions if partitions is None else partitions)
        while any(self._positions.get(each, 0) < end for each, end in ends.items()):
            await self._next_change()

    async def go_on(self) -> None:
        """Fetches again after a pause, from the present ends on: what came meanwhile is left out.

        The caller sets the timeout. Raises KafkaError, or TopicsNotReadyError without a connection.
        """
        if self._ends is None or (reading := self._reading) is None:
            raise TopicsNotReadyError("not connected")
        ends = await self._ends.of(self._positions)
        if self._reading is not reading:
            raise TopicsNotReadyError("not connected any more")
        for partition, end in ends.items():
            if self._positions[partition] < end:
                reading.seek(partition, end)
                self._positions[partition] = end
        reading.resume(*self._positions)
        self._paused = False

    def pause(self) -> None:
        """Stops fetching until ``go_on`` is called."""
        self._paused = True
        if self._reading is not None:
            self._reading.pause(*self._positions)

    async def _next_change(self) -> None:
        await self._changed.wait()

    def _notify(self) -> None:
        """Wakes all that wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _run(self) -> None:
        """Follows until cancelled; connects again after any error, with back-off."""
        longest = FIRST_WAIT_S
        while True:
            started = monotonic()
            try:
                await self._follow()
            except ANY_ERROR as error:
                if is_cancelled():
                    raise
                self._log_failure(error)
            if monotonic() - started >= STABLE_AFTER_S:
                longest = FIRST_WAIT_S
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # jitter is no secret
            longest = min(longest * 2, LONGEST_WAIT_S)

    async def _follow(self) -> None:
        reading, asking = self._consumer(REQUEST_TIMEOUT_MS), self._consumer(_ASKING_TIMEOUT_MS)
        try:
            await start_client(reading, START_TIMEOUT_S)
            await start_client(asking, START_TIMEOUT_S)
            self._positions = dict(await self._begin(await self._extent(asking), self._positions))
            reading.assign(list(self._positions))
            for partition, offset in self._positions.items():
                reading.seek(partition, offset)
            if self._paused:
                reading.pause(*self._positions)
            self._reading, self._ends, self._reason = reading, EndOffsets(asking), ""
            _log.info("follower.connected", topics=self._topics)
            while True:
                self._notify()
                found = await reading.getmany(timeout_ms=_POLL_MS, max_records=RECORDS_MAX)
                for records in found.values():
                    self._take(records)
                for partition in self._positions:
                    self._positions[partition] = await reading.position(partition)
                await asyncio.sleep(0)  # a long backlog must not hold up requests
        finally:
            if self._ends is not None:
                await self._ends.close()
            self._reading = self._ends = None
            self._lost()
            for consumer in (reading, asking):
                await close_consumer(consumer, CLOSE_TIMEOUT_S)

    def _consumer(self, request_timeout_ms: int) -> TolerantConsumer:
        """Returns a consumer. The one that reads has a request waiting at the brokers always.

        They answer the requests of a connection in their order, so questions need another one.
        """
        return TolerantConsumer(
            bootstrap_servers=self._bootstrap,
            client_id="payments-ingress",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=request_timeout_ms,
            **fetching(*self._topics) | {"max_partition_fetch_bytes": FETCHED_BYTES},
        )

    async def _extent(self, asking: TolerantConsumer) -> Extent:
        """Returns the first offset and the end of each partition. Raises TopicsNotReadyError."""
        found: list[TopicPartition] = []
        for topic in self._topics:
            of_topic = await partitions_of(asking, topic)
            if len(of_topic) != self._partitions:
                raise TopicsNotReadyError(
                    f"topic {topic} has {len(of_topic)} partitions instead of {self._partitions}"
                )
            found += of_topic
        firsts = await asking.beginning_offsets(found)
        ends = await asking.end_offsets(found)
        return {each: (firsts[each], ends[each]) for each in found}

    def _log_failure(self, error: BaseException) -> None:
        """Logs why there is no connection, if that changed."""
        why = str(error) or type(error).__name__
        if why != self._reason:
            known = isinstance(error, RETRYABLE_ON_CONNECT)
            _log.warning(
                "follower.failed",
                topics=self._topics,
                reason=why,
                exc_info=None if known else error,
            )
        self._reason = why
