"""Loops that start together do not stay synchronized: each pause has jitter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from prometheus_client import CollectorRegistry

from processor.worker.consumer_lag import ConsumerLag
from processor.worker.metrics import WorkerMetrics
from processor.worker.retention import Retention
from processor.worker.sweeps.reconciler import Reconciler
from processor.worker.sweeps.sweep import Sweep
from runtime.heartbeat import Heartbeat
from runtime.jitter import JITTER
from schemas.settings import WorkerSettings
from tests.support.builders import Clock
from tests.support.programs.sweeping import Leads

ROUNDS: Final = 20
INTERVAL_S: Final = 100.0
SETTINGS: Final = WorkerSettings(history_sweep_s=INTERVAL_S)


class EnoughRoundsError(Exception):
    """Ends the loop."""


class RecordingHeartbeat(Heartbeat):
    """Records the pauses that were announced, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def beat(self, rest_s: float = 0.0) -> None:
        """See ``Heartbeat.beat``."""
        super().beat(rest_s)
        self.rests.append(rest_s)


def reconciler(heartbeat: Heartbeat) -> Callable[[], Awaitable[None]]:
    """Returns the loop of a sweep that does nothing."""

    async def nothing(_: object) -> None:
        pass

    none = cast("Any", None)
    metrics = WorkerMetrics(CollectorRegistry())
    reconciler = Reconciler(none, none, {}, {}, SETTINGS, metrics, Clock(), Leads())
    return partial(reconciler.repeat, Sweep("any", INTERVAL_S, nothing, heartbeat=heartbeat))


def retention(heartbeat: Heartbeat) -> Callable[[], Awaitable[None]]:
    """Returns a loop with nothing to delete."""

    async def none(*_: object) -> int:
        return 0

    async def no_partitions(*_: object) -> Sequence[tuple[str, int]]:
        return ()

    store = SimpleNamespace(
        histories=(),
        partitioned=(),
        make_partitions=none,
        drop_partitions=no_partitions,
        give_up_parked=none,
    )
    return Retention(
        cast("Any", store), SETTINGS, WorkerMetrics(CollectorRegistry()), Clock(), heartbeat
    ).run


def consumer_lag(heartbeat: Heartbeat) -> Callable[[], Awaitable[None]]:
    """Returns a loop without a consumer group."""
    return ConsumerLag("", {}, INTERVAL_S, WorkerMetrics(CollectorRegistry()), heartbeat).run


@pytest.mark.anyio
@pytest.mark.parametrize("make", [reconciler, retention, consumer_lag])
async def test_no_two_pauses_are_equal(
    make: Callable[[Heartbeat], Callable[[], Awaitable[None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is close to the interval, and the heartbeat gets the exact pause."""
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == ROUNDS:
            raise EnoughRoundsError

    heartbeat = RecordingHeartbeat()
    run = make(heartbeat)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(EnoughRoundsError):
        await run()
    assert len(set(rests)) == ROUNDS
    assert all(INTERVAL_S * (1 - JITTER) <= rest <= INTERVAL_S * (1 + JITTER) for rest in rests)
    assert [rest for rest in heartbeat.rests if rest] == rests
