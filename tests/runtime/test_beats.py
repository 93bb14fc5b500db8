"""Loops with many small steps beat at each one, so that slow progress is no hang."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from ports.records import ConsumedRecord
from processor.worker import retention
from processor.worker.metrics import WorkerMetrics
from processor.worker.retention import CHUNK_ROWS, Retention
from processor.worker.router import Router
from processor.worker.sweeps.sweep import Pace, Turn
from runtime.heartbeat import Heartbeat
from schemas.settings import WorkerSettings
from tests.support.builders import Clock
from tests.support.fakes import RecordingSender
from tests.support.programs.folding import ONE
from tests.support.programs.routing import unrouted
from tests.support.programs.sweeping import Leads

pytestmark = pytest.mark.anyio


class Beats(Heartbeat):
    """Records the pause that each beat announces, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def beat(self, rest_s: float = 0.0) -> None:
        """See ``Heartbeat.beat``."""
        self.rests.append(rest_s)
        super().beat(rest_s)


class OldHistory:
    """A history of two full chunks and a part of one."""

    histories = ("inbox",)
    partitioned = ()

    def __init__(self) -> None:
        self._counts = [CHUNK_ROWS, CHUNK_ROWS, 1]

    async def make_partitions(self, _now: datetime) -> None:
        """There are none."""

    async def drop_partitions(self, _before: datetime) -> Sequence[tuple[str, int]]:
        """There are none."""
        return ()

    async def give_up_parked(self, _before: datetime, _rows: int) -> int:
        """No input is parked."""
        return 0

    async def delete_history(self, _table: str, _before: datetime, _rows: int) -> int:
        """Deletes the next chunk."""
        return self._counts.pop(0)


def metrics() -> WorkerMetrics:
    """New metrics."""
    return WorkerMetrics(CollectorRegistry())


async def test_each_chunk_of_deleted_history_is_a_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for the parked inputs, three for the history."""
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    beats, store = Beats(), cast("Any", OldHistory())
    await Retention(store, WorkerSettings(), metrics(), Clock(), beats).sweep()
    assert len(beats.rests) == 4


async def test_each_record_that_is_routed_on_its_own_is_a_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our own code fails on the batch."""

    async def defective(_: Router, records: Sequence[ConsumedRecord]) -> None:
        assert len(records) == 1, "a defect"

    monkeypatch.setattr(Router, "_route", defective)
    beats, nothing = Beats(), cast("Any", None)
    router = Router(
        nothing, RecordingSender(), nothing, {}, WorkerSettings(), metrics(), Clock(), beats
    )
    await router.route([unrouted(ONE, f"evt_{number}") for number in range(3)])
    assert len(beats.rests) == 3


async def test_a_pause_between_two_requests_is_no_silence() -> None:
    """A slow rate announces its pauses, which may be longer than a loop may be silent."""
    beats = Beats()
    await Pace(200.0).pause(Turn(Leads(), beats))
    assert beats.rests == [pytest.approx(1 / 200.0)]
