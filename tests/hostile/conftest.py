"""The service, running, for those who attack it."""

from collections.abc import Iterator

import pytest

from tests.service.stack import Stack, running_service
from tests.support.fixtures import (
    clock,
    group,
    own_database,
    pool,
    processor_database,
    sweeping,
)

__all__ = ["clock", "group", "own_database", "pool", "processor_database", "sweeping"]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service on a Kafka and a Postgres of its own, once for the session."""
    with running_service(tmp_path_factory.mktemp("hostile")) as running:
        yield running
