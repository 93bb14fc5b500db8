"""Up to three batches run at once, one in each stage. An error in one ends them all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from processor.stream import pipeline
from processor.stream.batch import BatchProcessor, DecodedBatch, ProcessedBatch
from processor.stream.events import Event

pytestmark = pytest.mark.anyio


class Stages:
    """A processor that logs each step of each batch, and waits where a test wants it to."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.failing: str | None = None
        self.error: BaseException | None = None

    def block(self, step: str) -> asyncio.Event:
        """Makes the step wait until the returned event is set."""
        return self.gates.setdefault(step, asyncio.Event())

    async def _do(self, step: str) -> None:
        if step in self.gates:
            await self.gates[step].wait()
        if step == self.failing:
            raise self.error or ValueError(step)
        self.log.append(step)

    def decode(self, events: Sequence[Event]) -> DecodedBatch:
        """See ``BatchProcessor.decode``."""
        self.log.append(f"decode {events}")
        return cast("DecodedBatch", events)

    async def commit(self, batch: DecodedBatch) -> ProcessedBatch:
        """See ``BatchProcessor.commit``."""
        await self._do(f"commit {batch}")
        return cast("ProcessedBatch", batch)

    async def publish_and_ack(self, batch: ProcessedBatch) -> None:
        """See ``BatchProcessor.publish_and_ack``."""
        await self._do(f"publish_and_ack {batch}")


class Run:
    """A pipeline over batches named a, b, c."""

    def __init__(self, names: str, stages: Stages, full: int = 1) -> None:
        self.names = names
        self.assigned = asyncio.Event()
        self.assigned.set()
        self.taken: list[str] = []
        self.done = 0
        processor = cast("BatchProcessor", stages)
        running = pipeline.run(self._batches(), processor, full, self.assigned.wait, self._count)
        self.task: asyncio.Task[Any] = asyncio.create_task(running)

    async def _batches(self) -> AsyncIterator[Any]:
        for name in self.names:
            self.taken.append(name)
            yield name

    def _count(self) -> None:
        self.done += 1


async def settled() -> None:
    """Returns once every task has gone as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_every_batch_goes_through_every_stage_in_order() -> None:
    """The pipeline ends with the last batch."""
    stages = Stages()
    run = Run("abcdef", stages)
    await run.task
    for stage in ("decode", "commit", "publish_and_ack"):
        assert [s for s in stages.log if s.startswith(stage)] == [f"{stage} {n}" for n in "abcdef"]
    assert run.done == 6
    for name in "abcdef":
        order = [s.split()[0] for s in stages.log if s.endswith(name)]
        assert order == ["decode", "commit", "publish_and_ack"]


async def test_the_next_batch_is_committed_while_one_is_published() -> None:
    """The batch after that is decoded. Neither is published before its turn."""
    stages = Stages()
    published = stages.block("publish_and_ack a")
    run = Run("abc", stages)
    await settled()
    assert "commit b" in stages.log
    assert "decode c" in stages.log
    assert not [s for s in stages.log if s.startswith("publish_and_ack")]
    published.set()
    await run.task
    assert stages.log[-3:] == ["publish_and_ack a", "publish_and_ack b", "publish_and_ack c"]


async def test_no_more_batches_are_taken_than_may_be_in_flight() -> None:
    """Other records are not fetched, so a slow Postgres does not fill the memory."""
    stages = Stages()
    stages.block("commit a")
    run = Run("abcdefghij", stages)
    await settled()
    assert len(run.taken) == pipeline.IN_FLIGHT_MAX
    run.task.cancel()


async def test_a_batch_that_is_not_full_has_the_pipeline_for_itself() -> None:
    """Records that come meanwhile form the next batch."""
    stages = Stages()
    published = stages.block("publish_and_ack a")
    run = Run("abc", stages, full=2)
    await settled()
    assert run.taken == ["a"]
    published.set()
    await run.task
    assert run.done == 3


async def test_nothing_is_committed_while_partitions_are_taken_over() -> None:
    """Batches are decoded, and then wait."""
    stages = Stages()
    run = Run("ab", stages)
    run.assigned.clear()
    await settled()
    assert [s for s in stages.log if not s.startswith("decode")] == []
    run.assigned.set()
    await run.task
    assert run.done == 2


@pytest.mark.parametrize("step", ["commit b", "publish_and_ack b"])
async def test_an_error_in_a_stage_ends_all_stages(step: str) -> None:
    """The error is raised, and no later batch is published."""
    stages = Stages()
    stages.failing = step
    run = Run("abcd", stages)
    with pytest.raises(ValueError, match=step):
        await run.task
    assert "publish_and_ack c" not in stages.log
    assert "publish_and_ack b" not in stages.log


@pytest.mark.parametrize("step", ["commit b", "publish_and_ack b"])
async def test_a_stage_that_cancels_itself_ends_all_stages(step: str) -> None:
    """A library may raise CancelledError. The other stages must not wait for ever."""
    stages = Stages()
    stages.failing, stages.error = step, asyncio.CancelledError()
    run = Run("abcd", stages)
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="a stage raised CancelledError"):
            await run.task
    assert "publish_and_ack b" not in stages.log
