"""Every test here is run for every adapter. A new provider adds its row to ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from domain.inputs import Fact
from ports.provider import ProviderClient
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.rows import ADAPTERS
from tests.conformance.kit.story import call, made


@pytest.fixture(scope="session", params=ADAPTERS)
def kind(request: pytest.FixtureRequest) -> type[Adapter]:
    """An adapter, and nothing running."""
    return ADAPTERS[request.param]


@pytest.fixture(scope="session")
def running(kind: type[Adapter]) -> Iterator[Adapter]:
    """An adapter and its simulator, once for all tests."""
    with kind.running() as adapter:
        yield adapter


@pytest.fixture
def adapter(running: Adapter) -> Adapter:
    """The same, with nothing left of another test."""
    running.begin_anew()
    return running


@pytest.fixture(scope="session")
async def shared_client(running: Adapter) -> AsyncIterator[ProviderClient]:
    """One client for all tests: making one reads every certificate there is."""
    client = running.client()
    yield client
    await client.close()


@pytest.fixture
def client(adapter: Adapter, shared_client: ProviderClient) -> ProviderClient:
    """The adapter's client of its simulator."""
    del adapter  # it is asked for first, so that nothing is left of another test
    return shared_client


@pytest.fixture(scope="session")
def samples(running: Adapter) -> dict[type[Fact], list[bytes]]:
    """The bodies of webhooks as they came, by the kind of fact that they tell."""
    running.begin_anew()
    asyncio.run(_live(running))
    running.settle()
    translator, found = running.translator(), dict[type[Fact], list[bytes]]()
    for delivery in running.receiver.deliveries:
        fact = translator.translate(delivery.body).fact
        found.setdefault(type(fact), []).append(delivery.body)
    return found


async def _live(adapter: Adapter) -> None:
    """Something of everything happens to a payment."""
    client = adapter.client()
    paid = await made(client, call(adapter, "create"))
    await made(client, call(adapter, "refund", paid))
    adapter.refund_elsewhere(paid, 100)
    adapter.decide(adapter.dispute(paid), won=True)
    await client.close()
