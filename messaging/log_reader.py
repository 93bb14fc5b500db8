"""Reads topics from the beginning to their present end, outside of any consumer group."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from messaging.kafka_internals.consumer import SpanConsumer, TolerantConsumer
from messaging.kafka_internals.spans import Span
from messaging.lifetime import close_consumer, start_client
from ports.records import ConsumedRecord, RecordOffset
from schemas.headers import as_text
from schemas.topics import fetching

#: Timeouts of connecting, of one request, and of closing.
START_TIMEOUT_S: Final = 8.0
REQUEST_TIMEOUT_MS: Final = 8_000
CLOSE_TIMEOUT_S: Final = 1.0
#: Seconds without a record, although there are more, after which reading fails. The brokers end a
#: transaction whose producer died after 60 seconds, and look for such ones every 10.
SILENCE_MAX_S: Final = 90.0


#: Bytes of a partition that are fetched at a time, which bounds the memory. The brokers send a
#: larger batch whole, once it is the first in their response.
FETCHED_BYTES: Final = 256 * 1024
#: The offsets of each partition that are to be read: the first, and the one after the last.
Extent = Mapping[TopicPartition, tuple[int, int]]


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Yields every committed record of a topic, up to its end at the time of the call.

    Waits for transactions that are open then: a record behind one, or whose commit was confirmed a
    moment ago, could not be read yet. The order is kept within a partition only. Raises KafkaError,
    also if there is no such topic.
    """
    async for found in batches(bootstrap, topic, await extent(bootstrap, topic)):
        for record in found:
            yield record


async def batches(
    bootstrap: str, topic: str, wanted: Extent
) -> AsyncIterator[list[ConsumerRecord[bytes, bytes]]]:
    """Yields the records in this extent as they are fetched: some of one partition at a time."""
    async for _, found in _fetched(TolerantConsumer, bootstrap, topic, wanted):
        yield found


async def spans(
    bootstrap: str, topic: str, wanted: Extent
) -> AsyncIterator[tuple[int, list[Span]]]:
    """Yields which offsets in this extent have a record, by partition; most records unparsed."""
    async for partition, found in _fetched(SpanConsumer, bootstrap, topic, wanted):
        _, end = wanted[TopicPartition(topic, partition)]
        yield (
            partition,
            [
                Span(each.offset, min(each.stop, end), each.timestamp)
                if isinstance(each, Span)
                else Span(each.offset, each.offset + 1, each.timestamp)
                for each in found
            ],
        )


async def _fetched(
    kind: type[TolerantConsumer], bootstrap: str, topic: str, wanted: Extent
) -> AsyncIterator[tuple[int, list[Any]]]:
    """Yields what a consumer of this kind returns for this extent, by partition."""
    consumer = kind(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **fetching(topic) | {"max_partition_fetch_bytes": FETCHED_BYTES},
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        consumer.assign(list(wanted))
        for partition, (first, _) in wanted.items():
            consumer.seek(partition, first)
        received_at = monotonic()
        while any([await consumer.position(p) < end for p, (_, end) in wanted.items()]):
            fetched = await consumer.getmany(timeout_ms=500)
            if fetched:
                received_at = monotonic()
            elif monotonic() - received_at > SILENCE_MAX_S:
                raise KafkaTimeoutError(f"{topic}: no record arrived for {SILENCE_MAX_S:g} s")
            for partition, found in fetched.items():
                _, end = wanted[partition]
                yield partition.partition, [each for each in found if each.offset < end]
    finally:
        await close_consumer(consumer, CLOSE_TIMEOUT_S)


async def extent(bootstrap: str, topic: str, since: datetime | None = None) -> Extent:
    """Returns the present extent of a topic, records of open transactions included.

    Args:
        bootstrap: the brokers.
        topic: the topic. Raises KafkaError if it does not exist.
        since: each partition's first record is the first with at least this timestamp.
    """
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        isolation_level="read_uncommitted",
        **fetching(topic),
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        partitions = await partitions_of(consumer, topic)
        if not partitions:
            raise UnknownTopicOrPartitionError(
                f"there is no topic {topic}: create it with `topics`"
            )
        firsts = dict(await consumer.beginning_offsets(partitions))
        ends = dict(await consumer.end_offsets(partitions))
        if since is not None:
            at = max(0, int(since.timestamp() * 1000))
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, at))
            firsts = {p: ends[p] if (of := found[p]) is None else of.offset for p in partitions}
        return {p: (firsts[p], ends[p]) for p in partitions}
    finally:
        await close_consumer(consumer, CLOSE_TIMEOUT_S)


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Returns the topic's partitions; none if there is no such topic."""
    await consumer._client.force_metadata_update()  # noqa: SLF001  # no public method
    found = consumer._client.cluster.partitions_for_topic(topic)  # noqa: SLF001  # as above
    return [TopicPartition(topic, partition) for partition in sorted(found or ())]


def position(record: ConsumerRecord[bytes, bytes]) -> RecordOffset:
    """Returns the record's topic, partition and offset."""
    return RecordOffset(record.topic, record.partition, record.offset)


def as_record(record: ConsumerRecord[bytes, bytes]) -> ConsumedRecord:
    """Converts aiokafka's record to ours."""
    return ConsumedRecord(
        position=position(record),
        key=record.key,
        value=b"" if record.value is None else record.value,
        headers=as_text(record.headers),
        timestamp_ms=record.timestamp,
    )
