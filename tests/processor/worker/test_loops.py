"""Background loops restart after every error, and never end silently."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from ports.errors import LoopFailedError, PublishError, StoreUnavailableError
from ports.work_items import ClaimedCall
from processor.worker import loops
from processor.worker.loops import HeartbeatOutbox, Loop, run_loops
from processor.worker.metrics import WorkerMetrics
from runtime.heartbeat import Heartbeat

pytestmark = pytest.mark.anyio


def metrics() -> WorkerMetrics:
    """Returns metrics with a registry of their own."""
    return WorkerMetrics(CollectorRegistry())


async def steady() -> None:
    """A loop that never ends."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailableError("unavailable"),
        PublishError("unavailable"),
        KafkaConnectionError(),
        OSError("unavailable"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_loop_restarts_after_a_retryable_error(error: Exception) -> None:
    """Brokers, Postgres or the network were unavailable."""
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


async def test_waits_grow_up_to_a_limit_and_start_over_after_a_recovery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The back-off doubles with each failure, and starts over after a long run."""
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
        raise OSError("unavailable")

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
async def test_a_loop_restarts_after_an_unforeseen_error(error: BaseException) -> None:
    """The error is counted, and the other loops are not affected."""
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


async def test_a_stalled_loop_is_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loop without a heartbeat is cancelled; one that makes progress is not."""
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


async def test_a_loop_that_has_just_started_is_not_stalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its heartbeat may be old: nothing beats it between two runs."""
    monkeypatch.setattr(loops, "STALLED_AFTER_S", 30.0)
    monkeypatch.setattr(loops, "CHECK_EVERY_S", 0.01)
    now, stop, runs = 0.0, asyncio.Event(), []
    heartbeat = Heartbeat(lambda: now)
    now = 3600.0

    async def loop() -> None:
        runs.append(1)
        await asyncio.sleep(0.1)
        stop.set()
        await steady()

    async with asyncio.timeout(5):
        await run_loops({"one": Loop(loop, heartbeat)}, stop, metrics())
    assert len(runs) == 1


async def test_an_error_that_must_end_the_process_propagates() -> None:
    """SystemExit is one."""

    async def loop() -> None:
        raise EndError

    with pytest.raises(LoopFailedError, match="one has stopped"):
        async with asyncio.timeout(5):
            await run_loops({"one": Loop(loop), "other": Loop(steady)}, asyncio.Event(), metrics())


class EndError(BaseException):
    """Stands for SystemExit, which asyncio itself would raise."""


async def test_stopping_ends_every_loop() -> None:
    """Each loop is cancelled and has ended before ``run_loops`` returns."""
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


class Claims:
    """An outbox without calls."""

    def __init__(self) -> None:
        self.claims = 0

    async def claim(self, *_: object) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        self.claims += 1
        return []

    async def renew(self, *_: object) -> bool:
        """See ``Outbox.renew``."""
        return True


async def test_each_claim_is_progress() -> None:
    """A dispatcher that claims is at work, even if nothing is due."""
    now = 0.0
    heartbeat, inner = Heartbeat(lambda: now), Claims()
    outbox = HeartbeatOutbox(cast("Any", inner), heartbeat)
    now = 100.0
    assert await outbox.renew("a claim", "a time")
    assert heartbeat.silent_s == 100.0
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert await outbox.claim("stripe", 1, moment, moment) == []
    assert (inner.claims, heartbeat.silent_s) == (1, 0.0)
