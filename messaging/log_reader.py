"""Reading topics from their beginning to their present end, in no consumer group."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from messaging.kafka_internals.consumer import TolerantConsumer
from messaging.lifetime import close_consumer, start_client
from ports.records import ConsumedRecord, RecordOffset
from schemas.headers import as_text
from schemas.topics import fetching

#: Brokers that accept a connection and do not answer are given up after this.
START_WITHIN_S: Final = 8.0
REQUEST_TIMEOUT_MS: Final = 8_000
CLOSE_WITHIN_S: Final = 1.0
#: Records that are there and do not come.
SILENCE_MAX_S: Final = 30.0


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Every committed record of a topic, to its end as it was at first.

    Partitions come in no order, each in its own. Raises KafkaError.
    """
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **fetching(topic),
    )
    try:
        await start_client(consumer, START_WITHIN_S)
        partitions = await partitions_of(consumer, topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        came_at = monotonic()
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            batches = await consumer.getmany(timeout_ms=500)
            if batches:
                came_at = monotonic()
            elif monotonic() - came_at > SILENCE_MAX_S:
                raise KafkaTimeoutError(f"{topic}: no record came for {SILENCE_MAX_S:g} s")
            for partition, found in batches.items():
                for record in found:
                    if record.offset < ends[partition]:
                        yield record
    finally:
        await close_consumer(consumer, CLOSE_WITHIN_S)


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions; none where there is no such topic."""
    await consumer._client.force_metadata_update()  # noqa: SLF001  # no public call waits for it
    found = consumer._client.cluster.partitions_for_topic(topic)  # noqa: SLF001  # as above
    return [TopicPartition(topic, partition) for partition in sorted(found or ())]


def position(record: ConsumerRecord[bytes, bytes]) -> RecordOffset:
    """Where a record stands."""
    return RecordOffset(record.topic, record.partition, record.offset)


def as_record(record: ConsumerRecord[bytes, bytes]) -> ConsumedRecord:
    """A record as the processor knows it."""
    return ConsumedRecord(
        position(record), record.key, b"" if record.value is None else record.value,
        as_text(record.headers), record.timestamp,
    )  # fmt: skip
