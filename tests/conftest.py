"""Isolates the session, and starts one real Kafka and one real Postgres for it."""

import asyncio
import os
import secrets
import signal
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from messaging.topic_admin import create_topics
from postgres.migrate import migrate
from runtime import logs
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings
from tests.isolation import environment, side_by_side
from tests.isolation.environment import SERVERS
from tests.isolation.isolated import handle_sigterm
from tests.isolation.leftovers import ENDS_WITHIN_S, Watch
from tests.isolation.program_logs import ends_of_logs, folders_of_logs

PARTITIONS = 4
WATCH: pytest.StashKey[Watch] = pytest.StashKey()
SHARED: pytest.StashKey[ExitStack] = pytest.StashKey()
LEFT: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options about servers, and about the size of a store."""
    parser.addoption(
        "--share-servers",
        action="store_true",
        help="start one Kafka and one Postgres for all of pytest-xdist's workers",
    )
    parser.addoption(
        "--no-servers", action="store_true", help="skip the tests that need Kafka or Postgres"
    )
    parser.addoption(
        "--stored", type=int, default=10_000, help="payments in the store of the tests of plans"
    )
    parser.addoption(
        "--calls", type=int, default=0, help="made-up calls of each operation in each phase"
    )
    parser.addoption(
        "--unfinished", type=int, default=2_000, help="unfinished payments beside the sweeps"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Names a failed test at once, on a line of its own; the summary comes minutes later."""
    if getattr(report, "failed", False):
        category = "failed" if report.when == "call" else "error"
        return category, f"\n{category.upper()} {report.nodeid}\n", category.upper()
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Cleans the environment, before any test's module is imported, and starts the watch program.

    Each session has its own folder of temporary files. All sessions share pytest's default folder,
    and each new session closes it to other users. Postgres runs as another user if the tests run
    as root, and would lose access to its data.
    """
    environment.clean(os.environ)
    logs.configure_structlog()
    folder = None
    if config.option.basetemp is None:
        folder = Path(tempfile.mkdtemp(prefix="payments-tests-"))
        config.option.basetemp = str(folder / "session")
    config.stash[WATCH] = Watch(os.environ, folder)
    config.stash[SHARED] = ExitStack()
    config.stash[LEFT] = []
    signal.signal(signal.SIGTERM, handle_sigterm)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before any worker starts: sets one hash seed for all, and starts the shared servers.

    The hash seed fixes the order of sets: workers must collect the same tests in the same order.
    """
    config = session.config
    if side_by_side.has_workers(config):
        os.environ["PYTHONHASHSEED"] = str(secrets.randbelow(2**32))
    if (
        config.option.share_servers
        and side_by_side.has_workers(config)
        and SERVERS not in os.environ
    ):
        root = Path(config.option.basetemp).with_name("servers")
        running = config.stash[SHARED].enter_context(running_infrastructure(root))
        os.environ[SERVERS] = f"{running.kafka_bootstrap} {running.database_url}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that need servers, if asked, and orders the tests for the workers."""
    if config.option.no_servers:
        left_out = [item for item in items if side_by_side.needs_servers(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not side_by_side.needs_servers(item)]
    if config.getoption("numprocesses", None) or side_by_side.is_worker(config):
        side_by_side.arrange(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.Scheduler:
    """Returns the scheduler, which runs each group of tests in one worker."""
    return side_by_side.Scheduler(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collects what an ended worker left behind."""
    node.config.stash[LEFT] += side_by_side.reported(getattr(node, "workeroutput", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Kills the processes that the session left running, and fails the session for them."""
    config = session.config
    has_passed = session.exitstatus == pytest.ExitCode.OK
    config.stash[SHARED].close()
    left = config.stash[WATCH].close(ENDS_WITHIN_S if has_passed else 0, keep=not has_passed)
    if side_by_side.is_worker(config):
        side_by_side.report(config, left if has_passed else [])
        return
    found = [f"left running: {line}" for line in left] + config.stash[LEFT]
    if found and has_passed:
        raise pytest.exit.Exception("\n".join(found), returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the ends of the service's logs to a failed test's report: its folder is deleted."""
    report = yield
    if report.failed:
        for folder in folders_of_logs(getattr(item, "funcargs", {}).values()):
            report.sections += ends_of_logs(folder)
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """An empty Kafka and Postgres on free ports; or running servers and a new database."""
    if SERVERS in os.environ:
        bootstrap, url = os.environ[SERVERS].split()
        with new_database(url) as own:
            yield Infrastructure(bootstrap, own)
        return
    with running_infrastructure(tmp_path_factory.mktemp("infrastructure")) as running:
        yield running


@contextmanager
def new_database(url: str) -> Iterator[str]:
    """The URL of a new database on this server, dropped at the end."""
    name = f"session_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
        connection.execute(f"drop database {name} with (force)".encode())


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
