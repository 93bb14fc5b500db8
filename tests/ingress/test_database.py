"""The ingress's connection pool loses no connection when requests time out or are cancelled."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr

from ingress import database as module
from ingress.database import POOL_SIZE, Database
from ingress.errors import DatabaseUnavailableError
from sandbox.supervision.ports import HOST, free_ports
from tests.ingress.tcp_gate import TcpGate
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ENOUGH_S = 10.0
#: What a read of the API may take.
READ_S = 2.0


class InspectableDatabase(Database):
    """A pool whose internal state a test can inspect."""

    async def is_whole(self) -> bool:
        """Returns whether every connection of the pool is available."""
        stats = self._pool.get_stats()
        return stats["pool_available"] == stats["pool_size"] > 0

    async def is_idle(self) -> bool:
        """Returns whether no query is running."""
        return not self._running

    @property
    def pool_lock(self) -> asyncio.Lock:
        """The pool's lock; holding it blocks tasks that take or return a connection."""
        return self._pool._lock  # there is no public way to block the pool


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[InspectableDatabase]:
    """The ingress's database with one open connection."""
    async with InspectableDatabase(SecretStr(database_url)) as opened:
        await opened.run(pid, ENOUGH_S)
        yield opened


@pytest.fixture
async def gate(database_url: str) -> AsyncIterator[TcpGate]:
    """A closed gate before Postgres."""
    port = urlsplit(database_url).port
    assert port is not None
    async with TcpGate(free_ports(1)[0], port) as made:
        yield made


def behind(gate: TcpGate, database_url: str) -> SecretStr:
    """Returns the URL of Postgres through the gate."""
    parts = urlsplit(database_url)
    user, _, _ = parts.netloc.rpartition("@")
    return SecretStr(parts._replace(netloc=f"{user}@{HOST}:{gate.port}").geturl())


async def pid(connection: AsyncConnection[Any]) -> int:
    """Returns the ID of the server process on this connection."""
    row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


async def test_nothing_can_be_written(database: InspectableDatabase) -> None:
    """The ingress's transactions are read-only, so even a wrong query changes nothing."""

    async def write(connection: AsyncConnection[Any]) -> None:
        await connection.execute("create table written ()")

    with pytest.raises(DatabaseUnavailableError) as refusal:
        await database.run(write, ENOUGH_S)
    assert refusal.value.reason == "ReadOnlySqlTransaction"


async def test_the_number_of_waiting_requests_is_limited(database: InspectableDatabase) -> None:
    """When all connections are in use, a request over the limit is refused at once."""
    assert database._pool.max_waiting == module.MAX_WAITING > 0


async def test_a_connection_is_returned_after_the_deadline(database: InspectableDatabase) -> None:
    """Deadlines that pass during the return lose no connection."""
    started, may_end = asyncio.Event(), asyncio.Event()

    async def query(_: AsyncConnection[Any]) -> None:
        started.set()
        await may_end.wait()

    for _ in range(POOL_SIZE + 1):
        started.clear()
        may_end.clear()
        reading = asyncio.create_task(database.run(query, 0.2))
        async with asyncio.timeout(ENOUGH_S):
            await started.wait()
        async with database.pool_lock:
            may_end.set()
            with pytest.raises(DatabaseUnavailableError):
                await reading
        await until(database.is_whole, ENOUGH_S)
    assert await database.run(pid, ENOUGH_S)


async def test_a_query_ends_at_its_deadline(database: InspectableDatabase) -> None:
    """The next query uses the same connection."""
    first = await database.run(pid, ENOUGH_S)
    with pytest.raises(DatabaseUnavailableError):
        await database.run(lambda connection: connection.execute("select pg_sleep(4)"), 0.2)
    await until(database.is_whole, 2.0)
    assert await database.run(pid, ENOUGH_S) == first


async def test_a_query_does_not_run_after_its_deadline(database: InspectableDatabase) -> None:
    """A connection that becomes available after the deadline is returned unused."""
    ran_on = []

    async def query(connection: AsyncConnection[Any]) -> None:
        ran_on.append(connection)

    async with database.pool_lock:
        with pytest.raises(DatabaseUnavailableError):
            await database.run(query, 0.1)
    await until(database.is_idle, ENOUGH_S)
    assert await database.is_whole()
    assert ran_on == []


async def test_a_silent_connection_is_replaced(database: InspectableDatabase) -> None:
    """The query ends at its deadline, and the next one gets another connection."""
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


async def test_the_first_query_after_a_restart_of_postgres_is_answered(
    database: InspectableDatabase,
) -> None:
    """However many connections the restart ended: they are not waited for one after the other."""
    all_are_open = asyncio.Barrier(POOL_SIZE)

    async def hold(connection: AsyncConnection[Any]) -> int:
        await all_are_open.wait()
        return await pid(connection)

    before = set(await asyncio.gather(*(database.run(hold, ENOUGH_S) for _ in range(POOL_SIZE))))
    assert len(before) == POOL_SIZE
    for process in before:
        os.kill(process, signal.SIGTERM)  # as a restart does
    await until(lambda: _are_gone(before), ENOUGH_S)
    assert await database.run(pid, READ_S) not in before
    assert not before & {await database.run(pid, READ_S) for _ in range(POOL_SIZE)}


async def _are_gone(processes: set[int]) -> bool:
    return not any(psutil.pid_exists(each) for each in processes)


async def test_an_unconfirmed_rollback_blocks_no_task(gate: TcpGate, database_url: str) -> None:
    """If the server doesn't respond to the rollback after a deadline, no task waits for it."""
    await gate.open()
    begun = asyncio.Event()

    async def query(connection: AsyncConnection[Any]) -> None:
        async with connection.transaction():
            await connection.execute("select 1")
            begun.set()
            await asyncio.Event().wait()

    async with InspectableDatabase(behind(gate, database_url)) as database:
        await database.run(pid, ENOUGH_S)
        reading = asyncio.create_task(database.run(query, 0.3))
        await begun.wait()
        gate.forwards_responses.clear()
        with pytest.raises(DatabaseUnavailableError):
            await reading
        await until(database.is_idle, 5.0)
        gate.forwards_responses.set()
        assert await database.run(pid, ENOUGH_S)


async def test_the_pool_recovers_from_a_long_outage(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    gate: TcpGate,
    database_url: str,
) -> None:
    """It recovers after more failed requests than may wait and after it gave up reconnecting."""
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    monkeypatch.setattr(module, "RECONNECT_TIMEOUT_S", 0.5)
    async with InspectableDatabase(behind(gate, database_url)) as database:
        for _ in range(2 * module.MAX_WAITING):
            with pytest.raises(DatabaseUnavailableError):
                await database.run(pid, 0.2)

        async def has_given_up() -> bool:
            return "reconnection attempt" in caplog.text

        await until(has_given_up, ENOUGH_S)
        await gate.open()

        async def has_recovered() -> bool:
            try:
                return bool(await database.run(pid, 1.0))
            except DatabaseUnavailableError:
                return False

        await until(has_recovered, 2 * ENOUGH_S)
