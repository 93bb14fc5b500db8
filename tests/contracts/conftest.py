"""Fixtures: stripe-mock, Stripe's description, our client, and a recorded run of the simulator."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests
import stripe
from pydantic import SecretStr

from providers.stripe.client import StripeApi
from sandbox.errors import SandboxError
from schemas.settings import StripeSettings
from tests.contracts import stripe_mock
from tests.contracts.description import Description
from tests.contracts.recording import Exchange, PagingClient, recording
from tests.contracts.scenarios import CONNECTED, SCENARIOS
from tests.contracts.stripe_mock import StripeMock
from tests.simulator.harness import API_KEY, running


@pytest.fixture(scope="session")
def installed() -> StripeMock:
    """The pinned stripe-mock. The run ends with the reason if it can't be installed."""
    try:
        return stripe_mock.installed()
    except SandboxError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def description(installed: StripeMock) -> Description:
    """Stripe's published OpenAPI description."""
    return Description(json.loads((installed.openapi / "spec3.json").read_bytes()))


@pytest.fixture(scope="session")
def examples(installed: StripeMock) -> dict[str, Any]:
    """Stripe's own example of each kind of object."""
    fixtures = json.loads((installed.openapi / "fixtures3.json").read_bytes())
    resources: dict[str, Any] = fixtures["resources"]
    return resources


@pytest.fixture(scope="session")
def base_url(installed: StripeMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a server that refuses requests the description doesn't allow."""
    with stripe_mock.running(installed.program, tmp_path_factory.mktemp("logs")) as address:
        yield address


@pytest.fixture(scope="session")
async def shared(base_url: str) -> AsyncIterator[tuple[StripeApi, PagingClient]]:
    """Our client of that server, shared because each new client loads all certificates."""
    settings = StripeSettings(stripe_api_key=SecretStr("sk_test_contracts"), stripe_timeout_s=10)
    transport = PagingClient()
    api = StripeApi(settings, base_url, transport, is_live=False)
    yield api, transport
    await api.close()


@pytest.fixture
def transport(shared: tuple[StripeApi, PagingClient]) -> PagingClient:
    """The client's transport, with the recordings of earlier tests cleared."""
    shared[1].exchanges.clear()
    return shared[1]


@pytest.fixture
def api(shared: tuple[StripeApi, PagingClient], transport: PagingClient) -> StripeApi:
    """Our client of that server."""
    del transport  # requesting it clears the recordings of earlier tests
    return shared[0]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The simulator's responses and webhooks from one run of all scenarios."""

    exchanges: tuple[Exchange, ...]
    events: tuple[dict[str, Any], ...]


@pytest.fixture(scope="session")
def recorded() -> Recorded:
    """All scenarios, run once for the session."""
    connected: Any = {"accounts": [{"id": CONNECTED}], "connected_accounts": [CONNECTED]}
    with running(**connected) as simulator, requests.Session() as session:
        exchanges = recording(session)
        client = stripe.StripeClient(
            API_KEY,
            base_addresses={"api": simulator.base_url},
            http_client=stripe.RequestsClient(timeout=10, session=session),
            max_network_retries=0,
        )
        for scenario in SCENARIOS:
            scenario(replace(simulator, client=client))
        simulator.settle()
        events = tuple(item.event for item in simulator.receiver.received)
    return Recorded(tuple(exchanges), events)
