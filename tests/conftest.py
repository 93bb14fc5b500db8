"""A real Kafka and a real Postgres, started once for the whole session."""

import asyncio
from collections.abc import Iterator

import pytest

from processor.migrate import migrate
from processor.topics import create_topics
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings

PARTITIONS = 4


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Kafka and Postgres on free ports, empty."""
    with running_infrastructure(tmp_path_factory.mktemp("infrastructure")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_bootstrap(infrastructure: Infrastructure) -> str:
    """The broker, with every topic created."""
    settings = KafkaSettings(
        kafka_bootstrap=infrastructure.kafka_bootstrap, partitions=PARTITIONS, replication_factor=1
    )
    asyncio.run(create_topics(settings))
    return infrastructure.kafka_bootstrap


@pytest.fixture(scope="session")
def database_url(infrastructure: Infrastructure) -> str:
    """The database, migrated."""
    migrate(infrastructure.database_url)
    return infrastructure.database_url
