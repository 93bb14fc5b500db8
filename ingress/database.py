"""Postgres, for reading only, and never waited for longer than asked.

Whoever waits no longer leaves the read to end by itself, and every step of it ends in time. It is
not cancelled: psycopg's pool loses the connection of a task that is cancelled while it gives it
back, and a pool that has lost all of them answers nobody any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from ingress.errors import DatabaseUnavailableError

POOL_SIZE: Final = 8
MAX_WAITING: Final = 256
CONNECT_TIMEOUT_S: Final = 2
STATEMENT_TIMEOUT_MS: Final = 5000
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
            name="ingress",
            kwargs={
                "autocommit": True,
                "application_name": "payments-ingress",
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                " -c default_transaction_read_only=on",
            },
        )
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        for task in self._running:
            task.cancel()
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
        async with self._pool.connection(min(CONNECT_TIMEOUT_S, deadline_s)) as connection:
            async with asyncio.timeout_at(ends_at):
                return await query(connection)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a late failure has been answered already


async def _check(connection: AsyncConnection[Any]) -> None:
    """Whether the server still answers on this connection; it has a limit, as the pool has none."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        await AsyncConnectionPool.check_connection(connection)
