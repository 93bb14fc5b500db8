"""Starts and closes one aiokafka producer or consumer, within limits that hold without Kafka.

aiokafka has no way to do either. ``start()`` has no deadline, and when it is cancelled it forgets
the connection it has just made. ``stop()`` waits for a silent broker for ever, and when it is
cancelled it leaves a task and its connections behind (aiokafka issue 1101). So both look inside.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Coroutine, Iterator
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaTimeoutError

#: What has been sent is given this long to be acknowledged before a producer is closed.
FLUSH_DEADLINE_S: Final = 2.0
#: A cancelled task of aiokafka's may first wait for another one; then it is cancelled again.
CANCEL_ROUNDS: Final = 20
CANCEL_WAIT_S: Final = 0.1
#: With its tasks ended and its connections aborted nothing is left to wait for.
STOP_DEADLINE_S: Final = 1.0
#: The longest a producer takes to close.
CLOSE_DEADLINE_S: Final = FLUSH_DEADLINE_S + CANCEL_ROUNDS * CANCEL_WAIT_S + STOP_DEADLINE_S


class Startable(Protocol):
    """A producer, a consumer or an admin client of aiokafka's."""

    def start(self) -> Coroutine[Any, Any, None]:
        """Connects."""
        ...


async def start_client(client: Startable, within_s: float) -> None:
    """Starts it. Raises KafkaTimeoutError after ``within_s``, KafkaError or OSError before.

    One that did not start is still to be closed.
    """
    starting = client.start()
    task = asyncio.create_task(starting, name="kafka-starting")
    try:
        done, _ = await asyncio.wait({task}, timeout=within_s)
    finally:
        if not task.done():
            found = [c for c in _locals_of(starting, "bootstrap_conn") if c is not None]
            await _end({task})
            for connection in found:
                connection.close()
    if not done:
        raise KafkaTimeoutError(f"no answer from the brokers within {within_s:g} s")
    task.result()


async def close_producer(
    producer: AIOKafkaProducer, flush_within_s: float = FLUSH_DEADLINE_S
) -> None:
    """Waits for what is being sent, then closes.

    Takes ``CLOSE_DEADLINE_S`` at most, so there is no reason to cancel it. What is not acknowledged
    by then is dropped: its sender has a deadline of its own, and takes its fate for unknown.
    """
    sender = producer._sender  # noqa: SLF001  # there is no public way to end it
    accumulator = producer._message_accumulator  # noqa: SLF001  # nor to drop what it holds
    try:
        if sender.sender_task is not None and flush_within_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(flush_within_s):
                    await producer.flush()
    finally:
        await _end(_tasks_of(sender, producer.client))
        accumulator._batches.clear()  # noqa: SLF001  # see above
        accumulator._pending_batches.clear()  # noqa: SLF001  # see above
        _abort_connections(producer.client)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_DEADLINE_S):
                await producer.stop()


async def close_consumer(consumer: AIOKafkaConsumer, within_s: float) -> bool:
    """Leaves the group and closes; whether that was done within ``within_s``.

    Else its tasks are ended and its connections aborted. A consumer that stops while it waits to
    fetch again is cancelled by itself; that ends nothing but its own stop.
    """
    stopping = asyncio.create_task(consumer.stop(), name="kafka-consumer-stopping")
    try:
        await asyncio.wait({stopping}, timeout=within_s)
        is_stopped = stopping.done() and not stopping.cancelled() and stopping.exception() is None
    finally:
        parts = [getattr(consumer, name, None) for name in ("_coordinator", "_fetcher", "_client")]
        await _end({stopping} | _tasks_of(*(part for part in parts if part is not None)))
        if parts[-1] is not None:
            _abort_connections(parts[-1])
    return is_stopped


def _abort_connections(client: AIOKafkaClient) -> None:
    """Closes sockets at once; one that still has bytes for a silent broker would never close."""
    for connection in list(client._conns.values()):  # noqa: SLF001  # nobody else has them
        writer = connection._writer  # noqa: SLF001  # ``close()`` only begins to close
        connection.close()
        if writer is not None:
            writer.transport.abort()


def _tasks_of(*owners: object) -> set[asyncio.Task[Any]]:
    """Every task that runs a method of one of these objects."""
    return {
        task
        for task in asyncio.all_tasks()
        if any(found is owner for found in _first_locals(task, "self") for owner in owners)
    }


def _first_locals(task: asyncio.Task[Any], name: str) -> list[Any]:
    """A local variable of the coroutine that the task was made for; what it waits for is not it."""
    return list(_locals_of(task.get_coro(), name))[:1]


def _locals_of(coroutine: object, name: str) -> Iterator[Any]:
    """A local variable of a coroutine, and of every one it waits for."""
    while inspect.iscoroutine(coroutine):
        yield inspect.getcoroutinelocals(coroutine).get(name)
        coroutine = coroutine.cr_await


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they have ended, and takes note of what they ended with."""
    running = {task for task in tasks if not task.done()}
    for _ in range(CANCEL_ROUNDS):
        if not running:
            break
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_WAIT_S)
    for task in tasks - running:
        if not task.cancelled():
            task.exception()  # the records' own senders have it; else it is logged as unnoticed
