"""A broker for this package alone, which tests pause, kill and restart."""

from collections.abc import AsyncIterator

import pytest

from messaging.instances import ProducerConfig
from tests.own_broker import OwnBroker, own_broker


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="package")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnBroker]:
    """A broker with every topic. A test leaves it running."""
    async with own_broker(tmp_path_factory.mktemp("messaging")) as own:
        await own.start()
        await own.make_topics()
        yield own


@pytest.fixture
def target(broker: OwnBroker) -> ProducerConfig:
    """A producer's configuration for this broker, with records of up to one mebibyte."""
    return ProducerConfig(broker.bootstrap, "test", 1 << 20)
