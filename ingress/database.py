"""Read-only access to Postgres, with a deadline for each query.

A task that is cancelled while it returns its connection loses the connection for psycopg's pool. A
pool that has lost all its connections serves no query any more. So only the query is cancelled at
its deadline; the task lives on and returns the connection. Every step of that has its own limit.
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
#: The query, psycopg's request to cancel it, the rollback, and the request to cancel the rollback.
#: Each is cancelled ``STEP_S`` after the one before.
STEPS: Final = 4
STEP_S: Final = 0.5
STATEMENT_TIMEOUT_MS: Final = 5000
#: How long sent data may stay unacknowledged before the connection counts as lost.
VANISHED_AFTER_MS: Final = 5000
RECONNECT_TIMEOUT_S: Final = 30.0
CLOSE_TIMEOUT_S: Final = 2.0

T = TypeVar("T")
Query = Callable[[AsyncConnection[Any]], Awaitable[T]]


class Database:
    """An async context manager: a pool of read-only connections, opened when needed."""

    def __init__(self, url: SecretStr) -> None:
        self._pool = AsyncConnectionPool(
            url.get_secret_value(),
            min_size=0,
            max_size=POOL_SIZE,
            max_waiting=MAX_WAITING,
            open=False,
            reconnect_timeout=RECONNECT_TIMEOUT_S,
            # Without this a pool with ``max_waiting`` waiting queries would never reconnect.
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
        """Cancels running queries. Connections lost by that do not matter any more."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_TIMEOUT_S)
        await self._pool.close(CLOSE_TIMEOUT_S)

    async def run(self, query: Query[T], deadline_s: float) -> T:
        """Returns the result of ``query``. Raises DatabaseUnavailableError after the deadline.

        The query runs in its own task: psycopg waits seconds for a silent server to confirm a
        cancel, and the caller's deadline must not wait with it.
        """
        task = asyncio.create_task(self._read(query, deadline_s))
        self._running.add(task)
        task.add_done_callback(self._on_done)
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
        connection = await self._connection(min(CONNECT_TIMEOUT_S, deadline_s))
        try:
            return await _until(ends_at, lambda: query(connection))
        finally:
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.close()  # the pool would wait for a rollback without limit
            await self._pool.putconn(connection)

    async def _connection(self, within_s: float) -> AsyncConnection[Any]:
        """Returns a connection on which the server answers. Raises psycopg.Error.

        A restart of Postgres ends every connection of the pool. psycopg's own check would wait
        longer after each of them, and the first requests would end before it has seen them all.
        """
        now = asyncio.get_running_loop().time
        ends_at = now() + within_s
        for _ in range(POOL_SIZE + 1):
            connection = await self._pool.getconn(ends_at - now())
            try:
                await _check(connection)
            except (psycopg.Error, TimeoutError):
                await connection.close()
                await self._pool.putconn(connection)
            else:
                return connection
        raise psycopg.OperationalError("the server answers on none of its connections")

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the caller got its error at the deadline


async def _until(ends_at: float, work: Callable[[], Awaitable[T]]) -> T:
    """Returns the result of ``work``, which is cancelled at ``ends_at`` in the loop's time.

    Raises TimeoutError, after ``ends_at`` without calling ``work``.
    """
    if asyncio.get_running_loop().time() >= ends_at:
        raise TimeoutError
    async with AsyncExitStack() as limits:
        for step in reversed(range(STEPS)):
            await limits.enter_async_context(asyncio.timeout_at(ends_at + step * STEP_S))
        return await work()


async def _check(connection: AsyncConnection[Any]) -> None:
    """Checks that the server answers on this connection. Raises psycopg.Error or TimeoutError."""
    ends_at = asyncio.get_running_loop().time() + CHECK_TIMEOUT_S
    await _until(ends_at, lambda: AsyncConnectionPool.check_connection(connection))
