"""Processes up to three batches at once, each in another stage.

While one batch waits for Postgres, the one before is published and the one after is decoded, so
none waits for the others' round trips. Each stage takes one batch after the other. The order of
effects within a batch (``batch``) stays: nothing is published before it is committed, and nothing
is acknowledged before it is published and added to the dedup table.

This pays only while full batches wait. With less, one batch at a time is faster: the records that
arrive meanwhile are the next batch, and no batch waits between two stages.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from processor.stream.batch import BatchProcessor, DecodedBatch, ProcessedBatch
from processor.stream.events import Event
from runtime.tasks import is_cancelled

#: One batch per stage. A further one would wait between the stages and could not grow any more.
IN_FLIGHT_MAX: Final = 3


class _BatchSlots:
    """Limits how many batches are in flight."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._freed = asyncio.Event()

    async def acquire(self, most: int) -> None:
        """Waits until fewer than ``most`` are in flight, and counts one more."""
        while self._in_flight >= most:
            self._freed.clear()
            await self._freed.wait()
        self._in_flight += 1

    def release(self) -> None:
        """Counts one fewer."""
        self._in_flight -= 1
        self._freed.set()


async def run(
    batches: AsyncIterator[Sequence[Event]],
    processor: BatchProcessor,
    full: int,
    fenced: Callable[[], Awaitable[object]],
    done: Callable[[], None],
) -> None:
    """Processes batches until there are no more. An error in any stage ends all stages.

    Args:
        batches: the batches, as they arrive.
        processor: processes each batch.
        full: the number of events in a full batch; after one, more records wait.
        fenced: returns once the assigned partitions are fenced; awaited before each commit.
        done: called after each batch.
    """
    slots = _BatchSlots()
    decoded: asyncio.Queue[DecodedBatch | None] = asyncio.Queue()
    committed: asyncio.Queue[ProcessedBatch | None] = asyncio.Queue()

    async def decode() -> None:
        await slots.acquire(1)
        async for batch in batches:
            decoded.put_nowait(processor.decode(batch))
            await slots.acquire(IN_FLIGHT_MAX if len(batch) >= full else 1)
        decoded.put_nowait(None)

    async def commit() -> None:
        while (batch := await decoded.get()) is not None:
            await fenced()
            committed.put_nowait(await processor.commit(batch))
        committed.put_nowait(None)

    async def publish_and_ack() -> None:
        while (batch := await committed.get()) is not None:
            await processor.publish_and_ack(batch)
            slots.release()
            done()

    try:
        async with asyncio.TaskGroup() as group:
            for stage in (decode, commit, publish_and_ack):
                group.create_task(_run_stage(stage()))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None  # the first error ended the other stages


async def _run_stage(stage: Awaitable[None]) -> None:
    """Runs a stage; turns a cancellation of its own into an error.

    A task group takes a cancelled task for done, and the other stages would wait for ever.
    """
    try:
        await stage
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError("a stage raised CancelledError, though nobody cancelled it") from error
