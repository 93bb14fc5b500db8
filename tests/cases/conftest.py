"""One running service for all cases of this folder."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.cases.tampering import TamperingProxy, tampering_proxy
from tests.cases.world import World, world_of
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service

#: So short that a case can wait for what ages, and longer than any fact waits for its payment.
AGES = {
    "PAYMENTS_UNROUTED_MAX_AGE_S": "5",
    "PAYMENTS_PARKED_MAX_AGE_S": "5",
    "PAYMENTS_HISTORY_SWEEP_S": "1",
    "PAYMENTS_UNFINISHED_AFTER_S": "2",
}


@pytest.fixture(scope="session")
def proxy() -> Iterator[TamperingProxy]:
    """What stands between the service and the provider's API."""
    with tampering_proxy() as listening:
        yield listening


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, proxy: TamperingProxy) -> Iterator[Stack]:
    """The whole service on its own Kafka and Postgres, started once per session."""
    quick = QUICK | AGES | {"PAYMENTS_STRIPE_API_BASE": proxy.url}
    with running_service(tmp_path_factory.mktemp("cases"), PROGRAMS, quick) as running:
        proxy.upstream = running.simulator_url
        yield running


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    """The service, its client and the simulator, with all faults switched off."""
    async with world_of(stack) as opened:
        await opened.simulator.faults()
        yield opened
