"""Measures what waits, and since when."""

from collections.abc import Callable, Collection
from datetime import datetime

from ports.stores import SweepStore
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.sweep import Turn


class BacklogSweep:
    """Shows the number and the greatest age of what waits, by kind, as gauges.

    Args:
        store: what waits.
        metrics: the worker's metrics.
        clock: the current time in UTC.
        called: the accounts that this worker can call.
        read: the accounts whose webhooks it can read.
    """

    def __init__(
        self,
        store: SweepStore,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        called: Collection[str],
        read: Collection[str],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._called = called
        self._read = read

    async def run(self, turn: Turn) -> None:
        """Measures everything once."""
        turn.step()
        measured = await self._store.gauges()
        unknown = await self._store.of_unknown_accounts(sorted(self._called), sorted(self._read))
        now = self._clock()
        for kind, count, since in measured:
            self._metrics.backlog.labels(kind).set(count)
            age_s = (now - since).total_seconds() if since is not None else 0.0
            self._metrics.backlog_oldest_age.labels(kind).set(age_s)
        rows = {(account, kind): count for account, kind, count in unknown}
        self._metrics.unknown_accounts.show(rows)

    def withdraw(self) -> None:
        """Shows nothing rather than what is out of date."""
        self._metrics.backlog.clear()
        self._metrics.backlog_oldest_age.clear()
        self._metrics.unknown_accounts.show({})
