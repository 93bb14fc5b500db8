"""The ingress' pool under those who wait no longer: none of its connections is ever lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr

from ingress.database import POOL_SIZE, Database
from ingress.errors import DatabaseUnavailableError
from tests.ingress.harness import until

pytestmark = pytest.mark.anyio

ENOUGH_S = 5.0


class Watched(Database):
    """A pool that can be looked into."""

    async def is_whole(self) -> bool:
        """Whether every connection it counts is there to be taken."""
        stats = self._pool.get_stats()
        return stats["pool_available"] == stats["pool_size"] > 0

    @property
    def giving_back(self) -> asyncio.Lock:
        """Held by whoever takes a connection or gives it back."""
        return self._pool._lock  # a busy pool can't be had otherwise


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Watched]:
    """The ingress' own."""
    async with Watched(SecretStr(database_url)) as opened:
        yield opened


async def pid(connection: AsyncConnection[Any]) -> int:
    """The server's process on this connection."""
    row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_connection_is_given_back_after_the_deadline(database: Watched) -> None:
    """Even where that is just when it is given back, as often as there are connections."""
    for _ in range(POOL_SIZE + 1):
        asked, may_end = asyncio.Event(), asyncio.Event()

        async def query(
            _: AsyncConnection[Any],
            asked: asyncio.Event = asked,
            may_end: asyncio.Event = may_end,
        ) -> None:
            asked.set()
            await may_end.wait()

        reading = asyncio.create_task(database.run(query, 0.2))
        await asked.wait()
        async with database.giving_back:
            may_end.set()
            with pytest.raises(DatabaseUnavailableError):
                await reading
        await until(database.is_whole, ENOUGH_S)
    assert await database.run(pid, ENOUGH_S)


async def test_a_query_ends_at_its_deadline(database: Watched) -> None:
    """Its connection takes the next one."""
    first = await database.run(pid, ENOUGH_S)
    with pytest.raises(DatabaseUnavailableError):
        await database.run(lambda connection: connection.execute("select pg_sleep(4)"), 0.2)
    await until(database.is_whole, 2.0)
    assert await database.run(pid, ENOUGH_S) == first


async def test_a_server_that_falls_silent_is_left(database: Watched) -> None:
    """Nobody waits longer than asked, another connection answers, and a new one takes its place."""
    silent = await database.run(pid, ENOUGH_S)
    os.kill(silent, signal.SIGSTOP)
    try:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(DatabaseUnavailableError):
            await database.run(pid, 0.3)
        assert asyncio.get_running_loop().time() - begun < 1.0
        assert await database.run(pid, ENOUGH_S) != silent
        await until(database.is_whole, 3 * ENOUGH_S)
    finally:
        os.kill(silent, signal.SIGCONT)
