"""Connections for one statement: it is a transaction of its own, and the next user's begins one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from ports.errors import KeyTakenError, StoreUnavailableError
from postgres.batch.transaction import Connection
from postgres.stores import Pool, connected, for_one_statement
from tests.support import database
from tests.support.builders import Log
from tests.support.programs.folding import ONE

pytestmark = pytest.mark.anyio
DELETE = "delete from payment_versions where payment_id = %s"
LEFT = "select count(*) from payment_versions where payment_id = %s"
COPY = "insert into payment_versions select * from payment_versions where payment_id = %s"
END = "select pg_terminate_backend(pg_backend_pid()) where %s <> ''"
Connect = Callable[[Pool], AbstractAsyncContextManager[Connection]]


@pytest.fixture
async def pool(own_database: str) -> AsyncIterator[Pool]:
    """A pool of one connection, so that it has every user."""
    opened: Pool = AsyncConnectionPool(own_database, min_size=1, max_size=1, open=False)
    async with opened:
        yield opened


async def _execute(pool: Pool, connect: Connect, statement: str) -> None:
    async with connect(pool) as connection:
        await connection.execute(statement.encode(), [ONE])


async def _delete_and_fail(pool: Pool, connect: Connect) -> None:
    with suppress(ZeroDivisionError):
        async with connect(pool) as connection:
            await connection.execute(DELETE, [ONE])
            raise ZeroDivisionError


async def test_it_is_committed_at_once(pool: Pool) -> None:
    """Also where the block fails after it."""
    await database.process(pool, Log().create(ONE))
    await _delete_and_fail(pool, for_one_statement)
    assert await database.rows(pool, LEFT, ONE) == [(0,)]


@pytest.mark.parametrize("before", ["select %s", "select 1 / 0 where %s <> ''"])
async def test_the_next_user_of_the_connection_has_a_transaction(pool: Pool, before: str) -> None:
    """What it did is undone where its block fails, whatever became of the statement before."""
    await database.process(pool, Log().create(ONE))
    with suppress(psycopg.DataError):
        await _execute(pool, for_one_statement, before)
    await _delete_and_fail(pool, connected)
    assert await database.rows(pool, LEFT, ONE) == [(1,)]


async def test_errors_are_those_of_a_transaction(pool: Pool) -> None:
    """A lost connection is retryable, and leaves none behind that can't be used."""
    await database.process(pool, Log().create(ONE))
    with pytest.raises(StoreUnavailableError):
        await _execute(pool, for_one_statement, END)
    with pytest.raises(KeyTakenError):
        await _execute(pool, for_one_statement, COPY)
    assert await database.rows(pool, LEFT, ONE) == [(1,)]
