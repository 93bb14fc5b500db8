"""Measures how many records the stream and the router have not acknowledged yet.

It runs in the worker, so the backlog is visible while the stream is down. A lag that can't be
measured is removed from the metrics: a stale value would look like an idle service.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from messaging.lag import GroupLag, Partition
from processor.worker.metrics import WorkerMetrics
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.jitter import jittered
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, is_cancelled, with_timeout

log = get_logger(__name__)

#: The name of this loop, in metrics and in readiness.
LOOP: Final = "consumer_lag"
MEASURE_TIMEOUT_S: Final = 30.0


class LagSource(Protocol):
    """Measures the lag of one consumer group."""

    async def by_partition(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Returns the lag of each partition of these topics, in records."""
        ...


class ConsumerLag:
    """The loop.

    Args:
        bootstrap: the brokers.
        groups: the topics that each consumer group reads, by group.
        every_s: the interval between two measurements, in seconds.
        metrics: the worker's metrics.
        heartbeat: beaten after each successful measurement.
        make_source: creates the source for brokers and a group.
    """

    def __init__(
        self,
        bootstrap: str,
        groups: Mapping[str, Sequence[str]],
        every_s: float,
        metrics: WorkerMetrics,
        heartbeat: Heartbeat | None = None,
        make_source: Callable[[str, str], LagSource] = GroupLag,
    ) -> None:
        self._groups = {
            group: (make_source(bootstrap, group), tuple(topics))
            for group, topics in groups.items()
        }
        self._every_s = every_s
        self._metrics = metrics
        self._heartbeat = heartbeat or unmonitored_heartbeat()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            rest_s = jittered(self._every_s)
            if await self.measure():
                self._heartbeat.beat(rest_s)
            await asyncio.sleep(rest_s)

    async def measure(self) -> bool:
        """Measures once. Returns whether it succeeded; if not, the metric is removed."""
        found: dict[tuple[str, Partition], int] = {}
        try:
            for group, (source, topics) in self._groups.items():
                lags = await with_timeout(MEASURE_TIMEOUT_S, source.by_partition(topics))
                found |= {(group, at): lag for at, lag in lags.items()}
        except ANY_ERROR as error:
            if is_cancelled():
                raise
            self._metrics.loop_errors.labels(LOOP).inc()
            self._metrics.consumer_lag.clear()
            log.warning("consumer_lag.measurement_failed", error=repr(error))
            return False
        self._metrics.consumer_lag.clear()
        for (group, (topic, partition)), lag in found.items():
            self._metrics.consumer_lag.labels(group, topic, str(partition)).set(lag)
        return True
