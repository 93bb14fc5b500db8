"""Reading topics from their beginning to their present end, in no consumer group."""

from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from processor.kafka_internals.consumer import TolerantConsumer
from processor.records import Position, Record
from schemas.headers import as_text


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Every committed record of a topic, to its end as it was at first.

    Partitions come in no order, each in its own. Raises KafkaError.
    """
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = await partitions_of(consumer, topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for partition, found in (await consumer.getmany(timeout_ms=500)).items():
                for record in found:
                    if record.offset < ends[partition]:
                        yield record
    finally:
        await consumer.stop()


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions; none where there is no such topic."""
    await consumer._client.force_metadata_update()  # noqa: SLF001  # no public call waits for it
    found = consumer._client.cluster.partitions_for_topic(topic)  # noqa: SLF001  # as above
    return [TopicPartition(topic, partition) for partition in sorted(found or ())]


def position(record: ConsumerRecord[bytes, bytes]) -> Position:
    """Where a record stands."""
    return Position(record.topic, record.partition, record.offset)


def as_record(record: ConsumerRecord[bytes, bytes]) -> Record:
    """A record as the processor knows it."""
    return Record(
        position(record), record.key, b"" if record.value is None else record.value,
        as_text(record.headers), record.timestamp,
    )  # fmt: skip
