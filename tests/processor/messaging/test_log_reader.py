"""A topic is read to its end: everything that was acknowledged before, and nothing uncommitted."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from messaging.log_reader import FETCHED_BYTES, extent, records, spans

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


async def test_the_offsets_of_records_are_read_without_the_records(
    kafka_bootstrap: str, topic: str
) -> None:
    """Batches of any size, compressed or not, and transactions: aborted ones have no records."""
    async with _producer(kafka_bootstrap, topic) as producer:
        for end in (producer.commit_transaction, producer.abort_transaction):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"in a transaction")
            await end()
    for compression in (None, "gzip"):
        async with AIOKafkaProducer(
            bootstrap_servers=kafka_bootstrap, compression_type=compression, linger_ms=50
        ) as other:
            for count in (1, 3, 500):
                await asyncio.gather(
                    *[await other.send(topic, b"%d" % n * 100) for n in range(count)]
                )
    wanted = await extent(kafka_bootstrap, topic)
    found = [span async for _, some in spans(kafka_bootstrap, topic, wanted) for span in some]
    offsets = [offset for span in found for offset in range(span.offset, span.stop)]
    assert offsets == [record.offset async for record in records(kafka_bootstrap, topic)]
    assert len(offsets) == 1 + 2 * 504
    assert len(found) < len(offsets) / 10
    assert all(abs(span.timestamp / 1000 - datetime.now(UTC).timestamp()) < 60 for span in found)


async def test_a_batch_larger_than_one_fetch_is_read(kafka_bootstrap: str, topic: str) -> None:
    """The limit of a fetch is for memory, not for the content."""
    large = b"x" * (3 * FETCHED_BYTES)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, max_request_size=2 * len(large)
    ) as producer:
        for value in (large, b"small", large):
            await producer.send_and_wait(topic, value)
    assert await _read(kafka_bootstrap, topic) == [large, b"small", large]


async def test_an_extent_begins_at_a_time(kafka_bootstrap: str, topic: str) -> None:
    """Each partition at its first record since then, or at its end."""
    async with _producer(kafka_bootstrap) as producer:
        for _ in range(3):
            at = await producer.send_and_wait(topic, b"")
    first = datetime.fromtimestamp(at.timestamp / 1000, UTC)
    later = first + timedelta(hours=1)
    assert [*(await extent(kafka_bootstrap, topic)).values()] == [(0, 3)]
    ((start, end),) = (await extent(kafka_bootstrap, topic, first)).values()
    assert start <= 2
    assert end == 3
    assert [*(await extent(kafka_bootstrap, topic, later)).values()] == [(3, 3)]
