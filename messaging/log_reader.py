"""Reads topics from the beginning to their present end, outside of any consumer group."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from messaging.kafka_internals.consumer import TolerantConsumer
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


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Yields every committed record of a topic, up to its end at the time of the call.

    Waits for transactions that are open then: a record behind one, or whose commit was confirmed a
    moment ago, could not be read yet. The order is kept within a partition only. Raises KafkaError,
    also if there is no such topic.
    """
    ends = await _ends(bootstrap, topic)
    partitions = list(ends)
    if not partitions:
        raise UnknownTopicOrPartitionError(f"there is no topic {topic}: create it with `topics`")
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **fetching(topic),
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        received_at = monotonic()
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            batches = await consumer.getmany(timeout_ms=500)
            if batches:
                received_at = monotonic()
            elif monotonic() - received_at > SILENCE_MAX_S:
                raise KafkaTimeoutError(f"{topic}: no record arrived for {SILENCE_MAX_S:g} s")
            for partition, found in batches.items():
                for record in found:
                    if record.offset < ends[partition]:
                        yield record
    finally:
        await close_consumer(consumer, CLOSE_TIMEOUT_S)


async def _ends(bootstrap: str, topic: str) -> dict[TopicPartition, int]:
    """Returns the end of each partition, records of open transactions included."""
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        isolation_level="read_uncommitted",
        **fetching(topic),
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        return dict(await consumer.end_offsets(await partitions_of(consumer, topic)))
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
