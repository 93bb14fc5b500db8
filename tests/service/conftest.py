"""The running service on its own Kafka and Postgres, whose log has no other records."""

from collections.abc import Iterator

import pytest

from tests.service.stack import Stack, running_service


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service, started once per session."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running
