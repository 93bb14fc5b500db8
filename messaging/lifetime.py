"""Starts and closes an aiokafka producer or consumer within a time limit, even without brokers.

aiokafka can't do either. ``start()`` has no timeout, and if it is cancelled it leaks the connection
that it has just opened. ``stop()`` waits for an unresponsive broker for ever, and if cancelled,
it leaks a task and its connections (aiokafka issue 1101). So both functions access its internals.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Coroutine, Iterator
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaTimeoutError

#: Seconds that sent records may take to be acknowledged before a producer is closed.
FLUSH_DEADLINE_S: Final = 2.0
#: A cancelled task of aiokafka may first wait for another task, so it is cancelled repeatedly.
CANCEL_ROUNDS: Final = 20
CANCEL_WAIT_S: Final = 0.1
#: Seconds for ``stop()``, once the tasks have ended and the connections are aborted.
STOP_DEADLINE_S: Final = 1.0
#: The longest that a producer takes to close, in seconds.
CLOSE_DEADLINE_S: Final = FLUSH_DEADLINE_S + CANCEL_ROUNDS * CANCEL_WAIT_S + STOP_DEADLINE_S


class Startable(Protocol):
    """A producer, a consumer or an admin client of aiokafka."""

    def start(self) -> Coroutine[Any, Any, None]:
        """Connects."""
        ...


async def start_client(client: Startable, timeout_s: float) -> None:
    """Starts a client. A client that did not start must still be closed.

    Raises:
        KafkaTimeoutError: the brokers did not respond within ``timeout_s`` seconds.
        KafkaError, OSError: the client could not connect.
    """
    starting = client.start()
    task = asyncio.create_task(starting, name="kafka-starting")
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            found = [c for c in _locals_of(starting, "bootstrap_conn") if c is not None]
            await _cancel({task})
            for connection in found:
                connection.close()
    if not done:
        raise KafkaTimeoutError(f"no response from the brokers within {timeout_s:g} s")
    task.result()


async def close_producer(
    producer: AIOKafkaProducer, flush_timeout_s: float = FLUSH_DEADLINE_S
) -> None:
    """Waits for records in flight to be acknowledged, then closes.

    Takes at most ``CLOSE_DEADLINE_S`` seconds, so it never needs to be cancelled. Records that are
    not acknowledged by then are dropped; their senders have timeouts of their own.
    """
    sender = producer._sender  # noqa: SLF001  # no public way to end it
    accumulator = producer._message_accumulator  # noqa: SLF001  # nor to drop its records
    try:
        if sender.sender_task is not None and flush_timeout_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(flush_timeout_s):
                    await producer.flush()
    finally:
        await _cancel(_tasks_of(sender, producer.client))
        accumulator._batches.clear()  # noqa: SLF001  # see above
        accumulator._pending_batches.clear()  # noqa: SLF001  # see above
        _abort_connections(producer.client)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_DEADLINE_S):
                await producer.stop()


async def close_consumer(consumer: AIOKafkaConsumer, timeout_s: float) -> bool:
    """Leaves the group and closes. Returns whether that took at most ``timeout_s`` seconds.

    If it takes longer, the consumer's tasks are cancelled and its connections aborted. A consumer
    that stops while it waits to fetch may raise a CancelledError of its own; it is ignored.
    """
    stopping = asyncio.create_task(consumer.stop(), name="kafka-consumer-stopping")
    try:
        await asyncio.wait({stopping}, timeout=timeout_s)
        is_stopped = stopping.done() and not stopping.cancelled() and stopping.exception() is None
    finally:
        parts = [getattr(consumer, name, None) for name in ("_coordinator", "_fetcher", "_client")]
        await _cancel({stopping} | _tasks_of(*(part for part in parts if part is not None)))
        if parts[-1] is not None:
            _abort_connections(parts[-1])
    return is_stopped


def _abort_connections(client: AIOKafkaClient) -> None:
    """Aborts sockets. A socket with unsent bytes for an unresponsive broker would never close."""
    for connection in list(client._conns.values()):  # noqa: SLF001  # no public access
        writer = connection._writer  # noqa: SLF001  # ``close()`` only starts to close
        connection.close()
        if writer is not None:
            writer.transport.abort()


def _tasks_of(*owners: object) -> set[asyncio.Task[Any]]:
    """Returns the tasks that run a method of one of these objects."""
    return {
        task
        for task in asyncio.all_tasks()
        if any(found is owner for found in _first_locals(task, "self") for owner in owners)
    }


def _first_locals(task: asyncio.Task[Any], name: str) -> list[Any]:
    """Returns a local variable of the task's outermost coroutine, as a list of at most one."""
    return list(_locals_of(task.get_coro(), name))[:1]


def _locals_of(coroutine: object, name: str) -> Iterator[Any]:
    """Yields a local variable of a coroutine and of each coroutine that it awaits."""
    while inspect.iscoroutine(coroutine):
        yield inspect.getcoroutinelocals(coroutine).get(name)
        coroutine = coroutine.cr_await


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they have ended, and retrieves their exceptions."""
    running = {task for task in tasks if not task.done()}
    for _ in range(CANCEL_ROUNDS):
        if not running:
            break
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_WAIT_S)
    for task in tasks - running:
        if not task.cancelled():
            task.exception()  # retrieved: the senders of the records have it too
