"""Records are sent in batches: all of them, in order, as many as fit into one."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from messaging.batch_send import KeyedRecord, send_in_batches

pytestmark = pytest.mark.anyio

TOPIC = "produce"
BATCH_BYTES = 4_096


@pytest.fixture(scope="module")
async def topic(kafka_bootstrap: str) -> str:
    """A topic of one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    await admin.close()
    return TOPIC


async def test_all_records_arrive_in_order_in_a_few_batches(
    kafka_bootstrap: str, topic: str
) -> None:
    """They keep their headers, and None is a deletion. Each batch's count is returned."""
    records = [
        KeyedRecord(f"{n}".encode(), None if n == 13 else b"x" * (n % 90), [("n", f"{n}".encode())])
        for n in range(200)
    ]
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, max_batch_size=BATCH_BYTES
    ) as producer:
        sending = await send_in_batches(producer, topic, 0, records)
        await asyncio.gather(*(sent for _, sent in sending))
    assert 1 < len(sending) < 20
    assert sum(count for count, _ in sending) == len(records)
    async with AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        found = [await consumer.getone() for _ in records]
    assert [KeyedRecord(r.key, r.value, list(r.headers)) for r in found] == records


async def test_without_records_no_batch_is_sent(kafka_bootstrap: str, topic: str) -> None:
    """An empty batch is not sent."""
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        assert await send_in_batches(producer, topic, 0, []) == []
