"""Forgets what became of old inputs, a few rows at a time: payments and their versions stay.

An event that comes again after that is decided anew, and changes nothing: what it says is in the
payment already. What still waits for an operator is never forgotten.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from processor.metrics import WorkMetrics
from processor.ports import HistoryStore
from schemas.settings import WorkSettings

log = logging.getLogger(__name__)

#: Rows of one statement: it holds their locks for some milliseconds.
ROWS: Final = 1000
#: Between two statements, so that others come first.
PAUSE_S: Final = 0.05


class Retention:
    """The loop. Several may run: each row is forgotten by one of them."""

    def __init__(
        self,
        store: HistoryStore,
        settings: WorkSettings,
        metrics: WorkMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled. Raises StoreUnavailableError."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._settings.history_sweep_s)

    async def sweep(self) -> None:
        """Everything that is too old by now."""
        before = self._clock() - timedelta(seconds=self._settings.history_retention_s)
        for table in self._store.histories:
            while True:
                count = await self._store.forget_history(table, before, ROWS)
                self._metrics.history_forgotten.labels(table).inc(count)
                if count < ROWS:
                    break
                await asyncio.sleep(PAUSE_S)
