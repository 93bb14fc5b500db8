"""Fixtures of the processor's tests, on one database that is empty for each test."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from postgres.migrate import migrate
from postgres.partitions import make_between
from postgres.stores import Pool
from sandbox.testing import Infrastructure
from tests.conftest import new_database
from tests.support import database
from tests.support.builders import NOW, Clock, Log
from tests.support.programs.calling import Caller
from tests.support.programs.folding import ONE
from tests.support.programs.operating import Operating, operator
from tests.support.programs.stream_worker import Group
from tests.support.programs.sweeping import Sweeping


@pytest.fixture(scope="session")
def processor_database(infrastructure: Infrastructure) -> Iterator[str]:
    """A migrated database."""
    with new_database(infrastructure.database_url) as url:
        migrate(url)
        asyncio.run(make_between(url, NOW, NOW))
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                """select relname from pg_class where relnamespace = 'public'::regnamespace
                   and relkind in ('r', 'p') and not relispartition"""
            )
            known = {*database.TABLES, *database.CONSTANT}
            assert {name for (name,) in rows} == known, "TABLES is not complete"
        yield url


@pytest.fixture
def own_database(processor_database: str) -> str:
    """The empty database, without any other connection."""
    with psycopg.connect(processor_database) as connection:
        connection.execute(database.DISCONNECT)  # a connection left over may hold locks
        for table in database.TABLES:
            connection.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
    return processor_database


@pytest.fixture
async def pool(own_database: str) -> AsyncIterator[Pool]:
    """Connections to the test's database."""
    opened: Pool = AsyncConnectionPool(own_database, min_size=1, max_size=4, open=False)
    async with opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock()


@pytest.fixture
async def caller(pool: Pool, clock: Clock) -> Caller:
    """A dispatcher with one due call: the create of payment one."""
    await database.process(pool, Log().create(ONE))
    return Caller(pool, clock)


@pytest.fixture
def sweeping(pool: Pool, clock: Clock) -> Sweeping:
    """A reconciler over an empty store."""
    return Sweeping(pool, clock)


@pytest.fixture
def group(pool: Pool, kafka_bootstrap: str) -> Group:
    """A new group of stream workers."""
    return Group(pool, kafka_bootstrap, f"test-{uuid.uuid4().hex}")


@pytest.fixture
async def operating(group: Group, own_database: str, clock: Clock) -> AsyncIterator[Operating]:
    """A log, a group of workers and an operator."""
    operating = operator(group, own_database, clock)
    yield operating
    await operating.sender.close()
