"""During a Kafka outage the ingress responds 503 at once and queues nothing; then it recovers."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ingress.database import Database
from ingress.kafka_target import KafkaTarget
from ingress.metrics import Metrics
from ingress.publisher import KafkaPublisher
from messaging.instances import STOP_DEADLINE_S
from tests.ingress.harness import application, assert_problem, client_of, event, signed
from tests.own_broker import BACK_WITHIN_S, OwnBroker, own_broker
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

TIMEOUT_S = 0.5


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[OwnBroker]:
    """A formatted broker that is not started."""
    async with own_broker(tmp_path) as own:
        yield own


async def deliver(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """Delivers a distinct webhook."""
    body = event({"id": f"pi_{number}"}, id=f"evt_{number}")
    return await client.post("/webhooks/stripe", content=body, headers=signed(body))


async def wait_until_accepted(client: httpx.AsyncClient) -> None:
    """Waits until webhooks are accepted."""

    async def accepted() -> bool:
        return (await deliver(client, 0)).status_code == 200

    await until(accepted, BACK_WITHIN_S)


async def test_an_outage_is_reported_at_once_and_survived(
    broker: OwnBroker, no_database: Database, metrics: Metrics
) -> None:
    """The broker starts late, freezes and is killed: 503 during each outage, then 200."""
    publisher = KafkaPublisher(KafkaTarget(broker.bootstrap, 4, 262_144), TIMEOUT_S, metrics)
    app = application(publisher, no_database, metrics)
    async with publisher, client_of(app, None) as client:
        assert_problem(await deliver(client, 1), 503, "broker-unavailable")
        assert (await client.get("/readyz")).status_code == 503
        await broker.start()
        await broker.make_topics()
        await wait_until_accepted(client)
        assert (await client.get("/readyz")).json()["kafka"] == "ok"

        broker.signal(signal.SIGSTOP)
        before = time.monotonic()
        responses = await asyncio.gather(*(deliver(client, number) for number in range(50)))
        assert {response.status_code for response in responses} == {503}
        assert time.monotonic() - before < TIMEOUT_S + 2
        before = time.monotonic()
        assert_problem(await deliver(client, 51), 503, "broker-unavailable")
        assert time.monotonic() - before < TIMEOUT_S / 2, (
            "a known outage is reported without waiting"
        )
        assert (await client.get("/readyz")).status_code == 503
        assert b"in_flight_publishes 0.0" in metrics.exposition()
        broker.signal(signal.SIGCONT)
        await wait_until_accepted(client)

        broker.signal(signal.SIGKILL)
        assert_problem(await deliver(client, 52), 503, "broker-unavailable")
        await broker.start()
        await wait_until_accepted(client)
        assert metrics.producers_replaced._value.get() >= 1


async def test_a_silent_broker_does_not_hold_up_the_shutdown(
    broker: OwnBroker, no_database: Database, metrics: Metrics
) -> None:
    """With a frozen broker and a record in flight, the publisher stops and leaves no task."""
    await broker.start()
    await broker.make_topics()
    publisher = KafkaPublisher(KafkaTarget(broker.bootstrap, 4, 262_144), TIMEOUT_S, metrics)
    before = asyncio.all_tasks()
    async with publisher:
        app = application(publisher, no_database, metrics)
        async with client_of(app, None) as client:
            await wait_until_accepted(client)
            broker.signal(signal.SIGSTOP)
            assert_problem(await deliver(client, 1), 503, "broker-unavailable")
        started = time.monotonic()
    assert time.monotonic() - started < STOP_DEADLINE_S + 1
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
