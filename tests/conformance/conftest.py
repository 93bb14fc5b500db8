"""Runs every test here for every adapter. A new provider adds its row to ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from domain.inputs import Fact
from ports.provider import ProviderClient
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import call, make
from tests.conformance.kit.rows import ADAPTERS


@pytest.fixture(scope="session", params=ADAPTERS)
def kind(request: pytest.FixtureRequest) -> type[Adapter]:
    """An adapter's class, without a running simulator."""
    return ADAPTERS[request.param]


@pytest.fixture(scope="session")
def running(kind: type[Adapter]) -> Iterator[Adapter]:
    """An adapter and its running simulator, shared by all tests."""
    with kind.running() as adapter:
        yield adapter


@pytest.fixture
def adapter(running: Adapter) -> Adapter:
    """The shared adapter, with its simulator reset."""
    running.start_fresh()
    return running


@pytest.fixture(scope="session")
async def shared_client(running: Adapter) -> AsyncIterator[ProviderClient]:
    """One client for all tests, because creating one loads all certificates."""
    client = running.client()
    yield client
    await client.close()


@pytest.fixture
def client(adapter: Adapter, shared_client: ProviderClient) -> ProviderClient:
    """The adapter's client of its simulator."""
    del adapter  # requested first, so that the simulator is reset
    return shared_client


@pytest.fixture(scope="session")
def samples(running: Adapter) -> dict[type[Fact], list[bytes]]:
    """The bodies of webhooks as they arrived, by the kind of their fact."""
    running.start_fresh()
    asyncio.run(_cause_all_kinds(running))
    running.settle()
    translator, found = running.translator(), dict[type[Fact], list[bytes]]()
    for delivery in running.receiver.deliveries:
        fact = translator.translate(delivery.body).fact
        found.setdefault(type(fact), []).append(delivery.body)
    return found


async def _cause_all_kinds(adapter: Adapter) -> None:
    """Pays, refunds and disputes a payment."""
    client = adapter.client()
    paid = await make(client, call(adapter, "create"))
    await make(client, call(adapter, "refund", paid))
    adapter.refund_elsewhere(paid, 100)
    adapter.decide(adapter.dispute(paid), won=True)
    await client.close()
