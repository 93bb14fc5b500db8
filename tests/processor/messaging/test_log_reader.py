"""A topic is read to its end: everything that was acknowledged before, and nothing uncommitted."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from messaging.log_reader import records

pytestmark = pytest.mark.anyio


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    """A topic of this test alone, with one partition."""
    name = f"read-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()
    return name


@asynccontextmanager
async def _producer(
    bootstrap: str, transactional_id: str | None = None
) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=transactional_id)
    async with producer:
        yield producer


async def _read(bootstrap: str, topic: str) -> list[bytes | None]:
    return [record.value async for record in records(bootstrap, topic)]


@pytest.mark.parametrize("end", ["commit", "abort"])
async def test_what_is_behind_an_open_transaction_is_read_when_it_ends(
    kafka_bootstrap: str, topic: str, end: str
) -> None:
    """An acknowledged record is never left out; the transaction's own only if it is committed."""
    async with _producer(kafka_bootstrap, topic) as open_one, _producer(kafka_bootstrap) as other:
        await open_one.begin_transaction()
        await open_one.send_and_wait(topic, b"in the transaction")
        await other.send_and_wait(topic, b"behind it")
        reading = asyncio.create_task(_read(kafka_bootstrap, topic))
        done, _ = await asyncio.wait([reading], timeout=1.0)
        assert not done, "it ended before the transaction did"
        if end == "commit":
            await open_one.commit_transaction()
        else:
            await open_one.abort_transaction()
        found = await reading
    assert found == [*([b"in the transaction"] if end == "commit" else []), b"behind it"]


async def test_what_comes_later_is_left_out(kafka_bootstrap: str, topic: str) -> None:
    """Reading ends, however much is written meanwhile."""
    async with _producer(kafka_bootstrap) as producer:
        await producer.send_and_wait(topic, b"before")
        reading = records(kafka_bootstrap, topic)
        first = await anext(reading)
        await producer.send_and_wait(topic, b"after")
        rest = [record.value async for record in reading]
    assert (first.value, rest) == (b"before", [])


async def test_a_topic_that_does_not_exist_is_an_error(kafka_bootstrap: str) -> None:
    """It is not an empty one: an audit of other brokers would find nothing wrong."""
    with pytest.raises(UnknownTopicOrPartitionError, match="no topic no-such-topic"):
        await _read(kafka_bootstrap, "no-such-topic")
