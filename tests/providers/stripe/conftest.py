"""Fixtures: a simulator without faults for each test, and our client of it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from providers.stripe.client import StripeApi
from tests.providers.stripe.builders import api_of
from tests.simulator.harness import Receiver, Simulator, serving


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[Simulator]:
    """One simulator for all tests here; it sends no webhooks."""
    with serving(Receiver()) as started:
        yield started


@pytest.fixture
def provider(shared_provider: Simulator) -> Simulator:
    """An empty simulator without faults."""
    shared_provider.control("reset")
    return shared_provider


@pytest.fixture(scope="session")
async def shared_api(shared_provider: Simulator) -> AsyncIterator[StripeApi]:
    """One client for all tests, because each new client loads all certificates."""
    async with api_of(shared_provider.base_url) as client:
        yield client


@pytest.fixture
def api(provider: Simulator, shared_api: StripeApi) -> StripeApi:
    """Our client of that simulator."""
    del provider  # requesting it resets the simulator
    return shared_api
