"""A worker is ready once its partitions are taken over and their tables recovered, in any order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

from postgres.stores import Pool
from processor.stream.app import _follow_rebalances, create_app
from processor.stream.batch import BatchProcessor
from processor.stream.watchdog import Activity
from runtime.health import GRACE_S, Health, not_ready
from schemas.settings import KafkaSettings, StreamSettings
from schemas.topics import PAYMENT_COMMANDS

pytestmark = pytest.mark.anyio

PARTITIONS = {TP(PAYMENT_COMMANDS, 0), TP(PAYMENT_COMMANDS, 1)}


class Parts:
    """A pool and a processor that only record the partitions they are assigned."""

    def __init__(self) -> None:
        self.taken: list[Sequence[int]] = []

    async def open(self) -> None:
        """See the pool's ``open``."""

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        """See ``BatchProcessor.on_assigned``."""
        self.taken.append(partitions)


@pytest.mark.parametrize("order", [("assigned", "recovered"), ("recovered", "assigned")])
async def test_a_worker_is_ready_after_both(tmp_path: Path, order: tuple[str, str]) -> None:
    """The next rebalance makes it unready until both have happened again."""
    kafka = KafkaSettings(kafka_bootstrap="nowhere:9092", partitions=2, replication_factor=1)
    now = 0.0
    health = Health(clock=lambda: now)
    app, parts = create_app(kafka, StreamSettings(data_dir=tmp_path)), Parts()
    pool, processor = cast("Pool", parts), cast("BatchProcessor", parts)
    assigned = _follow_rebalances(app, pool, processor, Activity(), health)
    signals: dict[str, Any] = {
        "assigned": lambda: app.on_partitions_assigned.send(PARTITIONS),
        "recovered": app.on_rebalance_complete.send,
    }
    for round_ in (1, 2):
        await app.on_partitions_revoked.send(PARTITIONS)
        now += GRACE_S + 1.0
        health.beat()
        assert not_ready(health.snapshot())
        assert not assigned.is_set()
        await signals[order[0]]()
        assert not_ready(health.snapshot()), f"round {round_}: only {order[0]}"
        await signals[order[1]]()
        assert not not_ready(health.snapshot())
        assert assigned.is_set()
    assert parts.taken == [[0, 1], [0, 1]]
