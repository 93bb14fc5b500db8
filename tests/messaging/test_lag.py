"""A measurement that is given up leaves nothing behind."""

import asyncio

import pytest

from messaging import lag
from messaging.lag import GroupLag
from sandbox.supervision import readiness
from schemas.topics import PROVIDER_RESULTS
from tests.messaging.leftovers import nothing_left
from tests.messaging.servers import proxy_of_one_answer
from tests.own_broker import OwnBroker

pytestmark = pytest.mark.anyio


async def test_a_measurement_given_up_while_it_connects_leaves_no_socket(
    broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that asks for the cluster's layout is aiokafka's alone until it answers."""
    monkeypatch.setattr(lag, "TIMEOUT_S", 0.3)
    async with proxy_of_one_answer(broker.bootstrap) as address, nothing_left():
        with pytest.raises(TimeoutError):
            await GroupLag(address, "group").by_partition([PROVIDER_RESULTS])


async def test_a_broker_asked_whether_it_is_ready_is_left_without_a_socket(
    broker: OwnBroker,
) -> None:
    """Also where the one who asks is ended meanwhile."""
    async with proxy_of_one_answer(broker.bootstrap) as address, nothing_left():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await readiness.kafka_answers(address)()
