"""Three batches at once, each in another stage; every stage takes one after the other.

While one batch waits for Postgres, the one before is published and the one after is decoded: none
of the three waits for the others' round trips. The order of effects of each batch is what it is
without (``processor.batch``), and so is the order of batches in every stage: nothing is published
before it is committed, or acknowledged before it is published and remembered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from processor.batch import BatchProcessor, Decoded, Done, Event

#: One in each stage. More would wait between the stages, grown no larger, instead of in the log.
UNDER_WAY_MAX: Final = 3


async def run(
    batches: AsyncIterator[Sequence[Event]],
    processor: BatchProcessor,
    ours: Callable[[], Awaitable[object]],
    done: Callable[[], None],
) -> None:
    """Processes batches until there are no more; what any stage raises ends all of them.

    Args:
        batches: where they come from.
        processor: does the work.
        ours: returns once the assigned partitions are taken over; awaited before each commit.
        done: called after each batch.
    """
    room = asyncio.Semaphore(UNDER_WAY_MAX)
    decoded: asyncio.Queue[Decoded | None] = asyncio.Queue()
    committed: asyncio.Queue[Done | None] = asyncio.Queue()

    async def decode() -> None:
        await room.acquire()
        async for batch in batches:
            decoded.put_nowait(processor.decode(batch))
            await room.acquire()
        decoded.put_nowait(None)

    async def commit() -> None:
        while (batch := await decoded.get()) is not None:
            await ours()
            committed.put_nowait(await processor.commit(batch))
        committed.put_nowait(None)

    async def settle() -> None:
        while (batch := await committed.get()) is not None:
            await processor.settle(batch)
            room.release()
            done()

    try:
        async with asyncio.TaskGroup() as group:
            for stage in (decode, commit, settle):
                group.create_task(stage())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None  # the first; it ended the others
