"""Reads some of a topic, outside of any consumer group: from an offset on, or single records."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from messaging.kafka_internals.consumer import TolerantConsumer
from messaging.lifetime import close_consumer, start_client
from messaging.log_reader import (
    CLOSE_TIMEOUT_S,
    REQUEST_TIMEOUT_MS,
    SILENCE_MAX_S,
    START_TIMEOUT_S,
    partitions_of,
)
from schemas.topics import fetching

Records = list[ConsumerRecord[bytes, bytes]]

#: Reading on is faster than seeking where no more records than this are in between.
NOT_SOUGHT: Final = 300
_FETCH_MS: Final = 500


async def spans(bootstrap: str, topic: str) -> dict[int, tuple[int, int]]:
    """Returns the first offset and the end of each partition, open transactions included.

    Raises KafkaError, also if there is no such topic.
    """
    async with _consumer(bootstrap, topic, "read_uncommitted") as consumer:
        return await _spans(consumer, topic)


async def records_from(
    bootstrap: str, topic: str, begin: Callable[[int], int | None]
) -> AsyncIterator[Records]:
    """Yields the committed records up to the present end, as they were fetched.

    Args:
        bootstrap: the brokers.
        topic: the topic.
        begin: by partition, the offset to begin at. None: the partition is not read.

    Raises KafkaError, also if there is no such topic.
    """
    found = {p: end for p, (_, end) in (await spans(bootstrap, topic)).items()}
    ends = {TopicPartition(topic, p): end for p, end in found.items() if begin(p) is not None}
    if not ends:
        return
    async with _consumer(bootstrap, topic, "read_committed") as consumer:
        consumer.assign(list(ends))
        for partition in ends:
            consumer.seek(partition, begin(partition.partition) or 0)
        received_at = monotonic()
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=_FETCH_MS)
            received_at = _received(topic, received_at, has_any=bool(batches))
            for partition, records in batches.items():
                yield [r for r in records if r.offset < ends[partition]]


async def records_at(
    bootstrap: str, topic: str, wanted: Mapping[int, Sequence[int]]
) -> AsyncIterator[Records]:
    """Yields the committed records at these offsets, by partition in ascending order.

    Those that have left the topic are left out. Raises KafkaError, also if there is no such topic.
    """
    ends = {p: end for p, (_, end) in (await spans(bootstrap, topic)).items()}
    async with _consumer(bootstrap, topic, "read_committed") as consumer:
        for number, offsets in wanted.items():
            end = ends.get(number, 0)
            left = deque(offset for offset in offsets if offset < end)
            async for records in _at(consumer, TopicPartition(topic, number), left, end):
                yield records


async def _at(
    consumer: TolerantConsumer, partition: TopicPartition, left: deque[int], end: int
) -> AsyncIterator[Records]:
    """Yields the records at the offsets ``left``, which it empties."""
    consumer.assign([partition])
    position, received_at = -NOT_SOUGHT, monotonic()
    while left and position < end:
        if left[0] >= position + NOT_SOUGHT:
            consumer.seek(partition, left[0])
        found = await consumer.getmany(partition, timeout_ms=_FETCH_MS, max_records=NOT_SOUGHT)
        position = await consumer.position(partition)
        received_at = _received(partition.topic, received_at, has_any=bool(found))
        records: Records = []
        for record in found.get(partition, ()):
            while left and left[0] < record.offset:
                left.popleft()
            if left and left[0] == record.offset:
                records.append(record)
                left.popleft()
        yield records


def _received(topic: str, last: float, *, has_any: bool) -> float:
    """Returns when the last record was received. Raises KafkaTimeoutError if that is too long."""
    now = monotonic()
    if not has_any and now - last > SILENCE_MAX_S:
        raise KafkaTimeoutError(f"{topic}: no record arrived for {SILENCE_MAX_S:g} s")
    return now if has_any else last


async def _spans(consumer: TolerantConsumer, topic: str) -> dict[int, tuple[int, int]]:
    partitions = await partitions_of(consumer, topic)
    if not partitions:
        raise UnknownTopicOrPartitionError(f"there is no topic {topic}: create it with `topics`")
    begins = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    return {p.partition: (begins[p], ends[p]) for p in partitions}


@asynccontextmanager
async def _consumer(
    bootstrap: str, topic: str, isolation_level: str
) -> AsyncIterator[TolerantConsumer]:
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        isolation_level=isolation_level,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **fetching(topic),
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        yield consumer
    finally:
        await close_consumer(consumer, CLOSE_TIMEOUT_S)
