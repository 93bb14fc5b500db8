"""Fixtures of the benchmarks' tests: servers that this process starts.

A benchmark measures the CPU time of its process and of its child processes.
"""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bench.site import Site, at
from messaging.topic_admin import create_topics
from postgres.migrate import migrate
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings
from tests.conftest import PARTITIONS


@pytest.fixture(scope="package")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Kafka and Postgres, empty."""
    with running_infrastructure(tmp_path_factory.mktemp("bench")) as running:
        yield running


@pytest.fixture(scope="package")
def kafka_bootstrap(infrastructure: Infrastructure) -> str:
    """The broker, with every topic created."""
    settings = KafkaSettings(
        kafka_bootstrap=infrastructure.kafka_bootstrap, partitions=PARTITIONS, replication_factor=1
    )
    asyncio.run(create_topics(settings))
    return infrastructure.kafka_bootstrap


@pytest.fixture(scope="module")
def site(
    infrastructure: Infrastructure,
    kafka_bootstrap: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Site:
    """A migrated database for each module."""
    name = str(request.module.__name__).rpartition(".")[2]
    with psycopg.connect(infrastructure.database_url, autocommit=True) as connection:
        connection.execute(f"create database bench_{name}".encode())
    url = make_conninfo(infrastructure.database_url, dbname=f"bench_{name}")
    migrate(url)
    return at(Infrastructure(kafka_bootstrap, url), tmp_path_factory.mktemp(name))
