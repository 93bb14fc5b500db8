"""A measurement that is given up leaves nothing behind."""

import asyncio

import pytest

from messaging import lag
from messaging.lag import GroupLag
from sandbox.supervision import readiness
from schemas.topics import PROVIDER_RESULTS
from tests.messaging.leftovers import nothing_left
from tests.messaging.servers import proxy_of_one_response
from tests.own_broker import OwnBroker

pytestmark = pytest.mark.anyio


async def test_a_measurement_given_up_while_it_connects_leaves_no_socket(
    broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has the metadata, only aiokafka's own code can close this connection."""
    monkeypatch.setattr(lag, "TIMEOUT_S", 0.3)
    async with proxy_of_one_response(broker.bootstrap) as address, nothing_left():
        with pytest.raises(TimeoutError):
            await GroupLag(address, "group").by_partition([PROVIDER_RESULTS])


async def test_a_cancelled_readiness_check_leaves_no_socket(
    broker: OwnBroker,
) -> None:
    """The check is cancelled while it connects."""
    async with proxy_of_one_response(broker.bootstrap) as address, nothing_left():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await readiness.kafka_answers(address)()
