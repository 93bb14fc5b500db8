"""Postgres, for reading only, and never waited for longer than asked.

psycopg's pool loses the connection of a task that is cancelled while it gives it back, and one
that has lost all of them answers nobody any more. So only the query itself is cancelled, at its
deadline; the task goes on and gives the connection back. Every step of it has its own limit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from ingress.errors import DatabaseUnavailableError

POOL_SIZE: Final = 8
MAX_WAITING: Final = 256
CONNECT_TIMEOUT_S: Final = 2
CHECK_TIMEOUT_S: Final = 0.5
#: A query, psycopg's asking the server to give it up, the rollback, the asking to give that up:
#: each is cancelled so much later than the one before.
STEPS: Final = 4
GIVE_UP_S: Final = 0.5
STATEMENT_TIMEOUT_MS: Final = 5000
#: A server whose machine confirms nothing any more.
VANISHED_AFTER_MS: Final = 5000
RECONNECT_TIMEOUT_S: Final = 30.0
CLOSE_TIMEOUT_S: Final = 2.0

T = TypeVar("T")
Query = Callable[[AsyncConnection[Any]], Awaitable[T]]


class Database:
    """A pool of read-only connections, opened as they are needed; an async context manager."""

    def __init__(self, url: SecretStr) -> None:
        self._pool = AsyncConnectionPool(
            url.get_secret_value(),
            min_size=0,
            max_size=POOL_SIZE,
            max_waiting=MAX_WAITING,
            open=False,
            reconnect_timeout=RECONNECT_TIMEOUT_S,
            check=_check,
            # It would never connect again by itself, with as many waiting as may.
            reconnect_failed=AsyncConnectionPool.check,
            name="ingress",
            kwargs={
                "autocommit": True,
                "application_name": "payments-ingress",
                "connect_timeout": CONNECT_TIMEOUT_S,
                "tcp_user_timeout": VANISHED_AFTER_MS,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                " -c default_transaction_read_only=on",
            },
        )
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Nothing is read after this, so connections that are lost here are no loss."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_TIMEOUT_S)
        await self._pool.close(CLOSE_TIMEOUT_S)

    async def run(self, query: Query[T], deadline_s: float) -> T:
        """What ``query`` reads on a connection. Raises DatabaseUnavailableError after the deadline.

        The query runs in a task of its own: psycopg waits seconds for a silent server to confirm
        that it gave up, and that must not count against the caller's deadline.
        """
        task = asyncio.create_task(self._read(query, deadline_s))
        self._running.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait({task}, timeout=deadline_s)
        if not done:
            raise DatabaseUnavailableError(f"no answer within {deadline_s:g} s")
        try:
            return task.result()
        except TimeoutError:
            raise DatabaseUnavailableError(f"no answer within {deadline_s:g} s") from None
        except psycopg.Error as error:
            raise DatabaseUnavailableError(type(error).__name__) from error

    async def _read(self, query: Query[T], deadline_s: float) -> T:
        ends_at = asyncio.get_running_loop().time() + deadline_s
        connection = await self._pool.getconn(min(CONNECT_TIMEOUT_S, deadline_s))
        try:
            return await _until(ends_at, lambda: query(connection))
        finally:
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.close()  # the pool would wait for a rollback, however long
            await self._pool.putconn(connection)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a late failure has been answered already


async def _until(ends_at: float, work: Callable[[], Awaitable[T]]) -> T:
    """What ``work`` answers until then, in the loop's time; too late, it is not even begun.

    Raises TimeoutError.
    """
    if asyncio.get_running_loop().time() >= ends_at:
        raise TimeoutError
    async with AsyncExitStack() as limits:
        for step in reversed(range(STEPS)):
            await limits.enter_async_context(asyncio.timeout_at(ends_at + step * GIVE_UP_S))
        return await work()


async def _check(connection: AsyncConnection[Any]) -> None:
    """Whether the server still answers on this connection. Raises psycopg.Error, TimeoutError."""
    ends_at = asyncio.get_running_loop().time() + CHECK_TIMEOUT_S
    await _until(ends_at, lambda: AsyncConnectionPool.check_connection(connection))
