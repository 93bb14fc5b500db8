"""Deletes the history of old inputs: whole partitions, and rows in small chunks.

Payments and their versions stay. The partitions of large tables are made here too, ahead of time.

A parked input whose payment never arrives expires much earlier. Inputs that wait, and those of a
quarantined payment, are never deleted. An event that is redelivered after its deletion is decided
again and changes nothing, because the payment already contains it. A rejected command is in no
payment: after its deletion it is a new one. So the history must not be shorter than the log.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from ports.stores import HistoryStore
from processor.worker.metrics import WorkerMetrics
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.jitter import jittered
from runtime.logs import get_logger
from schemas.settings import WorkerSettings

log = get_logger(__name__)

#: Rows per statement. It locks them for some milliseconds.
CHUNK_ROWS: Final = 1000
#: The longest quarter of a year. A shorter retention is not kept by dropping quarters.
QUARTER_S: Final = 92 * 86_400.0
#: Seconds between two statements, so that other transactions come first.
PAUSE_S: Final = 0.05


class Retention:
    """The loop. Several workers may run it: each row is deleted by one of them."""

    def __init__(
        self,
        store: HistoryStore,
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._heartbeat = heartbeat or unmonitored_heartbeat()

    async def run(self) -> None:
        """Runs until cancelled. Raises StoreUnavailableError."""
        while True:
            await self.sweep()
            rest_s = jittered(self._settings.history_sweep_s)
            self._heartbeat.beat(rest_s)
            await asyncio.sleep(rest_s)

    async def sweep(self) -> None:
        """Expires parked inputs, deletes history that is too old now, and makes partitions."""
        settings, now = self._settings, self._clock()
        parked_before = now - timedelta(seconds=settings.parked_max_age_s)
        async for count in _in_chunks(partial(self._store.give_up_parked, parked_before)):
            self._heartbeat.beat()
            self._metrics.parked_expired.inc(count)
        before = now - timedelta(seconds=settings.history_retention_s)
        is_short = settings.history_retention_s < QUARTER_S
        for table in (*self._store.histories, *(self._store.partitioned if is_short else ())):
            delete = partial(self._store.delete_history, table, before)
            async for count in _in_chunks(delete):
                self._heartbeat.beat()
                self._metrics.history_deleted.labels(table.removesuffix("_rest")).inc(count)
        # last: what is missing for them, such as a privilege, stops nothing else
        for table, rows in await self._store.drop_partitions(before):
            log.info("partition.dropped", table=table, rows=rows)
            self._metrics.history_deleted.labels(table).inc(rows)
        await self._store.make_partitions(now)


async def _in_chunks(step: Callable[[int], Awaitable[int]]) -> AsyncIterator[int]:
    """Repeats a step until it finds fewer rows than one chunk. Yields the rows of each step."""
    while True:
        count = await step(CHUNK_ROWS)
        yield count
        if count < CHUNK_ROWS:
            return
        await asyncio.sleep(PAUSE_S)
