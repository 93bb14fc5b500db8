"""The service, running, on a Kafka and a Postgres of its own: nothing else is in its log."""

from collections.abc import Iterator

import pytest

from tests.service.stack import Stack, running_service


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service, once for the session."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running
