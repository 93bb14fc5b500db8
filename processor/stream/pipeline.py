"""Three batches at once, each in another stage; every stage takes one after the other.

While one batch waits for Postgres, the one before is published and the one after is decoded: none
of the three waits for the others' round trips. The order of effects of each batch is what it is
without (``batch``), and so is the order of batches in every stage: nothing is published
before it is committed, or acknowledged before it is published and remembered.

That is for when more waits than a batch may hold. With less, one batch at a time is quicker: what
comes meanwhile is the next one, and none waits between two stages.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from processor.stream.batch import BatchProcessor, DecodedBatch, Event, ProcessedBatch
from runtime.tasks import is_cancelled

#: One in each stage. More would wait between the stages, grown no larger, instead of in the log.
UNDER_WAY_MAX: Final = 3


class _Room:
    """How many batches are under way, and whether another one may be taken."""

    def __init__(self) -> None:
        self._under_way = 0
        self._freed = asyncio.Event()

    async def take(self, most: int) -> None:
        """Returns once fewer than ``most`` are under way; then it is one more."""
        while self._under_way >= most:
            self._freed.clear()
            await self._freed.wait()
        self._under_way += 1

    def free(self) -> None:
        """One is done."""
        self._under_way -= 1
        self._freed.set()


async def run(
    batches: AsyncIterator[Sequence[Event]],
    processor: BatchProcessor,
    full: int,
    ours: Callable[[], Awaitable[object]],
    done: Callable[[], None],
) -> None:
    """Processes batches until there are no more; what any stage raises ends all of them.

    Args:
        batches: where they come from.
        processor: does the work.
        full: events in a batch that is as large as it may be: more wait.
        ours: returns once the assigned partitions are taken over; awaited before each commit.
        done: called after each batch.
    """
    room = _Room()
    decoded: asyncio.Queue[DecodedBatch | None] = asyncio.Queue()
    committed: asyncio.Queue[ProcessedBatch | None] = asyncio.Queue()

    async def decode() -> None:
        await room.take(1)
        async for batch in batches:
            decoded.put_nowait(processor.decode(batch))
            await room.take(UNDER_WAY_MAX if len(batch) >= full else 1)
        decoded.put_nowait(None)

    async def commit() -> None:
        while (batch := await decoded.get()) is not None:
            await ours()
            committed.put_nowait(await processor.commit(batch))
        committed.put_nowait(None)

    async def publish_and_ack() -> None:
        while (batch := await committed.get()) is not None:
            await processor.publish_and_ack(batch)
            room.free()
            done()

    try:
        async with asyncio.TaskGroup() as group:
            for stage in (decode, commit, publish_and_ack):
                group.create_task(_run_stage(stage()))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None  # the first; it ended the others


async def _run_stage(stage: Awaitable[None]) -> None:
    """A stage that does not end in silence: a group takes a task that was cancelled for done."""
    try:
        await stage
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError("a stage was cancelled, and nobody cancelled it") from error
