"""The router on a real topic reads again what it did not finish."""

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ports.errors import PublishError
from postgres.stores import Pool
from processor.worker.router import create_consumer
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED, ROUTER_GROUP
from tests.conftest import PARTITIONS
from tests.support.builders import Clock
from tests.support.programs.routing import Routing
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def lag(bootstrap: str) -> int:
    """Returns how many records of the topic the router has not committed."""
    group = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=ROUTER_GROUP, enable_auto_commit=False
    )
    async with group:
        partitions = [TopicPartition(PROVIDER_WEBHOOKS_UNROUTED, p) for p in range(PARTITIONS)]
        group.assign(partitions)
        ends = await group.end_offsets(partitions)
        return sum([ends[p] - (await group.committed(p) or 0) for p in partitions])


def consumer_that_fails_to_stop(bootstrap: str) -> AIOKafkaConsumer:
    """Returns a consumer whose ``stop`` raises CancelledError, as aiokafka's can."""
    source = create_consumer(bootstrap)
    original_stop = source.stop

    async def stop() -> None:
        await original_stop()
        raise asyncio.CancelledError

    source.stop = stop
    return source


async def run_until_caught_up(routing: Routing, kafka_bootstrap: str) -> None:
    """Cancels the router once it has read everything; it must raise the cancellation."""
    running = asyncio.create_task(routing.router.run())

    async def caught_up() -> bool:
        return await lag(kafka_bootstrap) == 0

    await until(caught_up, 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_routers_error_is_raised_though_its_consumer_fails_to_stop(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """A CancelledError instead would end the process, though the error is retryable."""
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait(PROVIDER_WEBHOOKS_UNROUTED, key=b"pi_1", value=b"{}")
    failing = Routing(pool, clock, kafka_bootstrap, consumer_that_fails_to_stop)
    failing.outbox.failures = [PublishError("no acknowledgement")]
    with pytest.raises(PublishError):
        await failing.router.run()


async def test_a_router_that_is_cancelled_ends(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """The requested cancellation is raised."""
    routing = Routing(pool, clock, kafka_bootstrap, consumer_that_fails_to_stop)
    await run_until_caught_up(routing, kafka_bootstrap)


async def test_a_record_that_was_not_routed_is_read_again(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """Its offset is committed after its effect, not before."""
    key = f"pi_{uuid.uuid4().hex}".encode()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait(PROVIDER_WEBHOOKS_UNROUTED, key=key, value=b"{}")
    failing, router = (Routing(pool, clock, kafka_bootstrap) for _ in range(2))
    failing.outbox.failures = [PublishError("no acknowledgement")]
    with pytest.raises(PublishError):
        await failing.router.run()
    assert await lag(kafka_bootstrap) > 0
    await run_until_caught_up(router, kafka_bootstrap)
    assert [sent for sent in router.sent() if sent[1] == key]
