"""The service with several accounts, started once for all tests here."""

from collections.abc import Iterator

import pytest

from tests.service.accounts.market import Market, running_market


@pytest.fixture(scope="package")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Six accounts, two workers, one simulator."""
    with running_market(tmp_path_factory.mktemp("market")) as running:
        yield running
