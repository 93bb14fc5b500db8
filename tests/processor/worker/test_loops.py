"""Background loops: started again after what time mends, and never silently gone."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from ports.errors import LoopFailedError, PublishError, StoreUnavailableError
from processor.worker import loops
from processor.worker.loops import Loop, run_loops
from processor.worker.metrics import WorkerMetrics
from runtime.heartbeat import Heartbeat

pytestmark = pytest.mark.anyio


def metrics() -> WorkerMetrics:
    """Metrics of their own."""
    return WorkerMetrics(CollectorRegistry())


async def steady() -> None:
    """A loop that goes on."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error",
    [StoreUnavailableError("away"), PublishError("away"), KafkaConnectionError(), OSError("away")],
    ids=lambda error: type(error).__name__,
)
async def test_a_loop_goes_on_after_what_time_mends(error: Exception) -> None:
    """Brokers, Postgres or the network were away: the loop is started again."""
    stop, runs = asyncio.Event(), []

    async def loop() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise error
        stop.set()
        await steady()

    async with asyncio.timeout(5):
        await run_loops({"one": Loop(loop), "other": Loop(steady)}, stop, metrics())
    assert len(runs) == 2


async def test_waits_grow_up_to_a_limit_and_begin_again_after_a_recovery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Faults one upon the other wait longer each time; one after a good hour waits shortly."""
    stop, now = asyncio.Event(), [0.0]
    longest: list[float] = []
    ran_for = [0.0] * 9 + [loops.RECOVERED_AFTER_S + 1, 0.0]

    def draw(_least: float, most: float) -> float:
        longest.append(most)
        return 0.0

    async def loop() -> None:
        if not ran_for:
            stop.set()
            await steady()
        now[0] += ran_for.pop(0)
        raise OSError("away")

    monkeypatch.setattr(loops, "random", SimpleNamespace(uniform=draw))
    monkeypatch.setattr(loops, "time", SimpleNamespace(monotonic=lambda: now[0]))
    async with asyncio.timeout(5):
        await run_loops({"one": Loop(loop)}, stop, metrics())
    assert longest[:3] == [0.2, 0.4, 0.8]
    assert longest[7:] == [loops.LONGEST_WAIT_S, loops.LONGEST_WAIT_S, loops.FIRST_WAIT_S, 0.2]


@pytest.mark.parametrize(
    "error",
    [KeyError("data"), AssertionError(), RecursionError(), MemoryError(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_loop_that_fails_in_an_unforeseen_way_is_begun_again(error: BaseException) -> None:
    """Alone: the others go on as if nothing were, and it is counted."""
    stop, runs, others, counted = asyncio.Event(), [], [], metrics()

    async def loop() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise error
        stop.set()
        await steady()

    async def other() -> None:
        others.append(1)
        await steady()

    async with asyncio.timeout(5):
        await run_loops({"one": Loop(loop), "other": Loop(other)}, stop, counted)
    assert (len(runs), len(others)) == (2, 1)
    assert counted.loop_errors.labels("one")._value.get() == 1


async def test_a_loop_that_comes_to_no_next_step_is_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it waits for never answers: it is cancelled. One that makes progress is left alone."""
    monkeypatch.setattr(loops, "STALLED_AFTER_S", 0.1)
    monkeypatch.setattr(loops, "CHECK_EVERY_S", 0.02)
    stop, hung, lively = asyncio.Event(), [], []
    heartbeat = Heartbeat()

    async def hanging() -> None:
        hung.append(1)
        if len(hung) == 2:
            stop.set()
        await steady()

    async def progressing() -> None:
        lively.append(1)
        while True:
            heartbeat.beat()
            await asyncio.sleep(0.02)

    async with asyncio.timeout(5):
        await run_loops(
            {"one": Loop(hanging, Heartbeat()), "other": Loop(progressing, heartbeat)},
            stop,
            metrics(),
        )
    assert (len(hung), len(lively)) == (2, 1)


async def test_a_program_that_is_to_end_ends() -> None:
    """What is no error of a loop, but the end of its process, is passed on."""

    async def loop() -> None:
        raise EndError

    with pytest.raises(LoopFailedError, match="one has stopped"):
        async with asyncio.timeout(5):
            await run_loops({"one": Loop(loop), "other": Loop(steady)}, asyncio.Event(), metrics())


class EndError(BaseException):
    """As SystemExit, which asyncio itself would pass on."""


async def test_stopping_ends_every_loop() -> None:
    """Asked to stop, each loop is cancelled and has ended before this returns."""
    stop, ended = asyncio.Event(), []

    async def loop() -> None:
        try:
            stop.set()
            await steady()
        finally:
            ended.append(1)

    async with asyncio.timeout(5):
        await run_loops({"one": Loop(loop), "other": Loop(loop)}, stop, metrics())
    assert len(ended) == 2
