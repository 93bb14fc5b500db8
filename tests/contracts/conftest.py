"""stripe-mock, Stripe's description, our client of the one and a simulator held to the other."""

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
from tests.contracts.stories import STORIES
from tests.contracts.stripe_mock import StripeMock
from tests.simulator.harness import API_KEY, running


@pytest.fixture(scope="session")
def installed() -> StripeMock:
    """The pinned stripe-mock; where it can't be had, that is all that is said."""
    try:
        return stripe_mock.installed()
    except SandboxError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def description(installed: StripeMock) -> Description:
    """What Stripe publishes of its API."""
    return Description(json.loads((installed.openapi / "spec3.json").read_bytes()))


@pytest.fixture(scope="session")
def examples(installed: StripeMock) -> dict[str, Any]:
    """An example of each kind of object, by Stripe's own hand."""
    fixtures = json.loads((installed.openapi / "fixtures3.json").read_bytes())
    resources: dict[str, Any] = fixtures["resources"]
    return resources


@pytest.fixture(scope="session")
def base_url(installed: StripeMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that refuses what the description doesn't allow."""
    with stripe_mock.running(installed.program, tmp_path_factory.mktemp("logs")) as address:
        yield address


@pytest.fixture(scope="session")
async def shared(base_url: str) -> AsyncIterator[tuple[StripeApi, PagingClient]]:
    """Our client of that server. One for each test would load all certificates each time."""
    settings = StripeSettings(
        stripe_api_base=base_url, stripe_api_key=SecretStr("sk_test_contracts"), stripe_timeout_s=10
    )
    transport = PagingClient()
    api = StripeApi(settings, transport)
    yield api, transport
    await api.close()


@pytest.fixture
def transport(shared: tuple[StripeApi, PagingClient]) -> PagingClient:
    """What our client sends, written down; nothing of another test."""
    shared[1].exchanges.clear()
    return shared[1]


@pytest.fixture
def api(shared: tuple[StripeApi, PagingClient], transport: PagingClient) -> StripeApi:
    """Our client of that server."""
    del transport  # it is asked for first, so that nothing is left of another test
    return shared[0]


@dataclass(frozen=True, slots=True)
class Played:
    """What the simulator answered and sent while the stories were played on it."""

    exchanges: tuple[Exchange, ...]
    events: tuple[dict[str, Any], ...]


@pytest.fixture(scope="session")
def played() -> Played:
    """The stories, played once for all tests."""
    with running() as simulator, requests.Session() as session:
        exchanges = recording(session)
        client = stripe.StripeClient(
            API_KEY,
            base_addresses={"api": simulator.base_url},
            http_client=stripe.RequestsClient(timeout=10, session=session),
            max_network_retries=0,
        )
        for story in STORIES:
            story(replace(simulator, client=client))
        simulator.settle()
        events = tuple(item.event for item in simulator.receiver.received)
    return Played(tuple(exchanges), events)
