"""Background loops: started again after what time mends, and never silently gone."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from processor import loops
from processor.errors import LoopFailedError, PublishError, StoreUnavailableError
from processor.loops import run_loops
from processor.metrics import WorkMetrics

pytestmark = pytest.mark.anyio


def metrics() -> WorkMetrics:
    """Metrics of their own."""
    return WorkMetrics(CollectorRegistry())


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
        await run_loops({"one": loop, "other": steady}, stop, metrics())
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
        await run_loops({"one": loop}, stop, metrics())
    assert longest[:3] == [0.2, 0.4, 0.8]
    assert longest[7:] == [loops.LONGEST_WAIT_S, loops.LONGEST_WAIT_S, loops.FIRST_WAIT_S, 0.2]


async def test_a_loop_that_fails_in_an_unforeseen_way_ends_them_all() -> None:
    """It would look like a quiet day: the process says which loop failed, and starts anew."""

    async def loop() -> None:
        raise KeyError("data")

    with pytest.raises(LoopFailedError, match="one has stopped") as failure:
        async with asyncio.timeout(5):
            await run_loops({"one": loop, "other": steady}, asyncio.Event(), metrics())
    assert isinstance(failure.value.__cause__, KeyError)


async def test_a_loop_that_a_library_cancels_ends_them_all() -> None:
    """Nobody asked it to end, so it has failed like any other."""

    async def loop() -> None:
        raise asyncio.CancelledError

    with pytest.raises(LoopFailedError, match="one has stopped"):
        async with asyncio.timeout(5):
            await run_loops({"one": loop, "other": steady}, asyncio.Event(), metrics())


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
        await run_loops({"one": loop, "other": loop}, stop, metrics())
    assert len(ended) == 2
