"""The service, running, on a Kafka and a Postgres of its own: nothing else is in its log."""

import asyncio
from collections.abc import Iterator

import pytest

from processor.migrate import migrate
from processor.topics import create_topics
from sandbox.testing import running_infrastructure
from schemas.settings import KafkaSettings
from tests.conftest import PARTITIONS
from tests.service.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service, once for the session."""
    root = tmp_path_factory.mktemp("service")
    with running_infrastructure(root) as infrastructure:
        migrate(infrastructure.database_url)
        kafka = KafkaSettings(
            kafka_bootstrap=infrastructure.kafka_bootstrap,
            partitions=PARTITIONS,
            replication_factor=1,
        )
        asyncio.run(create_topics(kafka))
        with running_stack(infrastructure, root) as running:
            yield running
