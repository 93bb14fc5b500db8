"""The session, apart from all others; a real Kafka and a real Postgres, once for all of it."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from processor.migrate import migrate
from processor.topics import create_topics
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings
from tests.isolation import environment
from tests.isolation.apart import end_in_good_order
from tests.isolation.leftovers import ENDS_WITHIN_S, Watch

PARTITIONS = 4
WATCH: pytest.StashKey[Watch] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Before any test's module is imported: a clean environment, and an end that leaves nothing."""
    environment.clean(os.environ)
    config.stash[WATCH] = Watch(os.environ)
    signal.signal(signal.SIGTERM, end_in_good_order)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A session that leaves a process behind has failed; the process is killed."""
    has_passed = session.exitstatus == pytest.ExitCode.OK
    left = session.config.stash[WATCH].close(ENDS_WITHIN_S if has_passed else 0)
    if left and has_passed:
        raise pytest.exit.Exception("left running:\n" + "\n".join(left), returncode=1)


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
