"""A running service to attack."""

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
    """The whole service on its own Kafka and Postgres, started once for the session."""
    with running_service(tmp_path_factory.mktemp("hostile")) as running:
        yield running
