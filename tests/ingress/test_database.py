"""The ingress' pool under those who wait no longer: none of its connections is ever lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr

from ingress import database as module
from ingress.database import POOL_SIZE, Database
from ingress.errors import DatabaseUnavailableError
from sandbox.supervision.ports import HOST, free_ports
from tests.ingress.tcp_gate import Door
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ENOUGH_S = 10.0


class Watched(Database):
    """A pool that can be looked into."""

    async def is_whole(self) -> bool:
        """Whether every connection it counts is there to be taken."""
        stats = self._pool.get_stats()
        return stats["pool_available"] == stats["pool_size"] > 0

    async def is_idle(self) -> bool:
        """Whether nothing is being read, for anybody."""
        return not self._running

    @property
    def giving_back(self) -> asyncio.Lock:
        """The lock of the tasks that take or return a connection."""
        return self._pool._lock  # a busy pool can't be had otherwise


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Watched]:
    """The ingress' own, with one connection."""
    async with Watched(SecretStr(database_url)) as opened:
        await opened.run(pid, ENOUGH_S)
        yield opened


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    """Before Postgres, closed."""
    port = urlsplit(database_url).port
    assert port is not None
    async with Door(free_ports(1)[0], port) as made:
        yield made


def behind(door: Door, database_url: str) -> SecretStr:
    """The URL of Postgres as it is seen through the door."""
    parts = urlsplit(database_url)
    user, _, _ = parts.netloc.rpartition("@")
    return SecretStr(parts._replace(netloc=f"{user}@{HOST}:{door.port}").geturl())


async def pid(connection: AsyncConnection[Any]) -> int:
    """The server's process on this connection."""
    row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


async def test_nothing_can_be_written(database: Watched) -> None:
    """The ingress only reads: whatever is wrong with a question, it changes nothing."""

    async def write(connection: AsyncConnection[Any]) -> None:
        await connection.execute("create table written ()")

    with pytest.raises(DatabaseUnavailableError) as refusal:
        await database.run(write, ENOUGH_S)
    assert refusal.value.reason == "ReadOnlySqlTransaction"


async def test_no_more_wait_than_may(database: Watched) -> None:
    """With every connection taken, one too many is refused at once."""
    assert database._pool.max_waiting == module.MAX_WAITING > 0


async def test_a_connection_is_given_back_after_the_deadline(database: Watched) -> None:
    """Even where that is just when it is given back, as often as there are connections."""
    asked, may_end = asyncio.Event(), asyncio.Event()

    async def query(_: AsyncConnection[Any]) -> None:
        asked.set()
        await may_end.wait()

    for _ in range(POOL_SIZE + 1):
        asked.clear()
        may_end.clear()
        reading = asyncio.create_task(database.run(query, 0.2))
        async with asyncio.timeout(ENOUGH_S):
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


async def test_what_comes_too_late_is_not_asked(database: Watched) -> None:
    """A connection that is had only after the deadline goes back at once."""
    asked = []

    async def query(connection: AsyncConnection[Any]) -> None:
        asked.append(connection)

    async with database.giving_back:
        with pytest.raises(DatabaseUnavailableError):
            await database.run(query, 0.1)
    await until(database.is_idle, ENOUGH_S)
    assert await database.is_whole()
    assert asked == []


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
        await until(database.is_whole, ENOUGH_S)
    finally:
        os.kill(silent, signal.SIGCONT)


async def test_a_transaction_whose_end_nobody_confirms_is_left(
    door: Door, database_url: str
) -> None:
    """Its deadline passes, the server says nothing to the rollback: no task waits for it."""
    await door.open()
    begun = asyncio.Event()

    async def query(connection: AsyncConnection[Any]) -> None:
        async with connection.transaction():
            await connection.execute("select 1")
            begun.set()
            await asyncio.Event().wait()

    async with Watched(behind(door, database_url)) as database:
        await database.run(pid, ENOUGH_S)
        reading = asyncio.create_task(database.run(query, 0.3))
        await begun.wait()
        door.passing.clear()
        with pytest.raises(DatabaseUnavailableError):
            await reading
        await until(database.is_idle, 5.0)
        door.passing.set()
        assert await database.run(pid, ENOUGH_S)


async def test_a_long_outage_is_survived(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    door: Door,
    database_url: str,
) -> None:
    """However many have asked in vain, and though connecting was given up: it answers again."""
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    monkeypatch.setattr(module, "RECONNECT_TIMEOUT_S", 0.5)
    async with Watched(behind(door, database_url)) as database:
        for _ in range(2 * module.MAX_WAITING):
            with pytest.raises(DatabaseUnavailableError):
                await database.run(pid, 0.2)

        async def is_given_up() -> bool:
            return "reconnection attempt" in caplog.text

        await until(is_given_up, ENOUGH_S)
        await door.open()

        async def is_answering() -> bool:
            try:
                return bool(await database.run(pid, 1.0))
            except DatabaseUnavailableError:
                return False

        await until(is_answering, 2 * ENOUGH_S)
