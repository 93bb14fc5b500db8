"""Forgets what became of old inputs, a few rows at a time: payments and their versions stay.

An input that waits for a payment is given up long before, where the payment never came.

An event that comes again after that is decided anew, and changes nothing: what it says is in the
payment already. What still waits for an operator is never forgotten.
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

#: Rows of one statement: it holds their locks for some milliseconds.
ROWS: Final = 1000
#: Between two statements, so that others come first.
PAUSE_S: Final = 0.05


class Retention:
    """The loop. Several may run: each row is forgotten by one of them."""

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
        """Until cancelled. Raises StoreUnavailableError."""
        while True:
            await self.sweep()
            rest_s = jittered(self._settings.history_sweep_s)
            self._heartbeat.beat(rest_s)
            await asyncio.sleep(rest_s)

    async def sweep(self) -> None:
        """Everything that is too old by now."""
        settings, now = self._settings, self._clock()
        waits_since = now - timedelta(seconds=settings.parked_max_age_s)
        async for count in _little_by_little(partial(self._store.give_up_parked, waits_since)):
            self._heartbeat.beat()
            self._metrics.parked_given_up.inc(count)
        before = now - timedelta(seconds=settings.history_retention_s)
        for table in self._store.histories:
            forget = partial(self._store.forget_history, table, before)
            async for count in _little_by_little(forget):
                self._heartbeat.beat()
                self._metrics.history_forgotten.labels(table).inc(count)


async def _little_by_little(step: Callable[[int], Awaitable[int]]) -> AsyncIterator[int]:
    """How many rows each step was about, until one finds fewer than it may take."""
    while True:
        count = await step(ROWS)
        yield count
        if count < ROWS:
            return
        await asyncio.sleep(PAUSE_S)
