"""Measures how many records the stream and the router have not acknowledged yet.

It runs in the worker, so that a backlog is seen while the stream is down. What can't be measured is
absent from the metrics: an old figure would look like a quiet day.
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

#: The metrics' loop, where errors are counted.
NAME: Final = "consumer_lag"
MEASURE_WITHIN_S: Final = 30.0


class Measure(Protocol):
    """Measures one group's lag."""

    async def by_partition(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Of each partition of these topics."""
        ...


class ConsumerLag:
    """The loop.

    Args:
        bootstrap: the brokers.
        groups: the topics that each consumer group reads, by its name.
        every_s: how often it measures, in seconds.
        metrics: where the figures go.
        pulse: beaten after each measurement that succeeded.
        measure: makes what measures a group, of brokers and group.
    """

    def __init__(
        self,
        bootstrap: str,
        groups: Mapping[str, Sequence[str]],
        every_s: float,
        metrics: WorkerMetrics,
        heartbeat: Heartbeat | None = None,
        measure: Callable[[str, str], Measure] = GroupLag,
    ) -> None:
        self._groups = {group: (measure(bootstrap, group), tuple(t)) for group, t in groups.items()}
        self._every_s = every_s
        self._metrics = metrics
        self._heartbeat = heartbeat or unmonitored_heartbeat()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            rest_s = jittered(self._every_s)
            if await self.measure():
                self._heartbeat.beat(rest_s)
            await asyncio.sleep(rest_s)

    async def measure(self) -> bool:
        """Measures once; whether it succeeded. An error is counted, and leaves no figure behind."""
        found: dict[tuple[str, Partition], int] = {}
        try:
            for group, (measure, topics) in self._groups.items():
                lags = await with_timeout(MEASURE_WITHIN_S, measure.by_partition(topics))
                found |= {(group, at): lag for at, lag in lags.items()}
        except ANY_ERROR as error:
            if is_cancelled():
                raise
            self._metrics.loop_errors.labels(NAME).inc()
            self._metrics.consumer_lag.clear()
            log.warning("consumer_lag.not_measured", error=repr(error))
            return False
        self._metrics.consumer_lag.clear()
        for (group, (topic, partition)), lag in found.items():
            self._metrics.consumer_lag.labels(group, topic, str(partition)).set(lag)
        return True
