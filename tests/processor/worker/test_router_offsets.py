"""The router on a real topic: what it has not dealt with, it reads again."""

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ports.errors import PublishError
from postgres.stores import Pool
from processor.worker.router import GROUP, create_consumer
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests.conftest import PARTITIONS
from tests.support.builders import Clock
from tests.support.programs.routing import Routing
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def lag(bootstrap: str) -> int:
    """Records of the real topic that the router has not committed."""
    group = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False)
    async with group:
        partitions = [TopicPartition(PROVIDER_WEBHOOKS_UNROUTED, p) for p in range(PARTITIONS)]
        group.assign(partitions)
        ends = await group.end_offsets(partitions)
        return sum([ends[p] - (await group.committed(p) or 0) for p in partitions])


def stopped_as_it_fetches_again(bootstrap: str) -> AIOKafkaConsumer:
    """A consumer that lets the cancellation of its own task out, as aiokafka's can."""
    source = create_consumer(bootstrap)
    really_stop = source.stop

    async def stop() -> None:
        await really_stop()
        raise asyncio.CancelledError

    source.stop = stop
    return source


async def run_until_caught_up(routing: Routing, kafka_bootstrap: str) -> None:
    """Cancels the router once everything is dealt with; it must pass that on."""
    running = asyncio.create_task(routing.router.run())

    async def caught_up() -> bool:
        return await lag(kafka_bootstrap) == 0

    await until(caught_up, 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_ended_the_router_is_told_though_its_consumer_ends_badly(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """A cancellation that nobody asked for would end the process, where time mends the fault."""
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait(PROVIDER_WEBHOOKS_UNROUTED, key=b"pi_1", value=b"{}")
    failing = Routing(pool, clock, kafka_bootstrap, stopped_as_it_fetches_again)
    failing.outbox.failures = [PublishError("no word")]
    with pytest.raises(PublishError):
        await failing.router.run()


async def test_a_router_that_is_cancelled_ends(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """That cancellation is asked for, and passed on."""
    routing = Routing(pool, clock, kafka_bootstrap, stopped_as_it_fetches_again)
    await run_until_caught_up(routing, kafka_bootstrap)


async def test_a_record_that_was_not_dealt_with_is_read_again(
    pool: Pool, clock: Clock, kafka_bootstrap: str
) -> None:
    """Its offset is committed after its effect, not before."""
    key = f"pi_{uuid.uuid4().hex}".encode()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait(PROVIDER_WEBHOOKS_UNROUTED, key=key, value=b"{}")
    failing, router = (Routing(pool, clock, kafka_bootstrap) for _ in range(2))
    failing.outbox.failures = [PublishError("no word")]
    with pytest.raises(PublishError):
        await failing.router.run()
    assert await lag(kafka_bootstrap) > 0
    await run_until_caught_up(router, kafka_bootstrap)
    assert [sent for sent in router.sent() if sent[1] == key]
