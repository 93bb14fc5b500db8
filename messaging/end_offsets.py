"""Asks where partitions end; questions that come together are asked as one."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

_Asked: TypeAlias = asyncio.Task[Mapping[TopicPartition, int]]


class EndOffsets:
    """The ends of partitions as of each question.

    A question that is under way may have been answered before a later one came. So the later one
    waits until it is over, together with all others that come meanwhile.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._wanted: set[TopicPartition] = set()
        self._current: _Asked | None = None
        self._next: _Asked | None = None

    async def of(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Returns the ends of these partitions now: open transactions are beyond them.

        The caller sets the timeout. Raises KafkaError.
        """
        wanted = set(partitions)
        self._wanted |= wanted
        if self._next is None:
            self._next = asyncio.create_task(self._ask(self._current), name="end-offsets")
            self._next.add_done_callback(_retrieve)
        asked = self._next
        await asyncio.wait({asked})  # which others wait for too: it outlives this caller
        if asked.cancelled():
            raise KafkaConnectionError("closed")
        found = asked.result()
        return {each: found[each] for each in wanted}

    async def close(self) -> None:
        """Ends the questions that are under way: those that asked get a KafkaError."""
        asked = {task for task in (self._current, self._next) if task is not None}
        for task in asked:
            task.cancel()
        if asked:
            await asyncio.wait(asked)

    async def _ask(self, before: _Asked | None) -> Mapping[TopicPartition, int]:
        if before is not None:
            await asyncio.wait({before})
        wanted, self._wanted = self._wanted, set()
        self._current, self._next = self._next, None
        found: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(wanted))
        return found


def _retrieve(task: _Asked) -> None:
    """Those that asked have the error; if none is left, it is of no interest."""
    if not task.cancelled():
        task.exception()
