"""The lag is a metric; a lag that can't be measured is absent."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from messaging.lag import Partition
from processor.worker.consumer_lag import LOOP, ConsumerLag
from processor.worker.metrics import WorkerMetrics
from schemas.topics import PROVIDER_RESULTS
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


def waiting(registry: CollectorRegistry, group: str) -> float | None:
    """Returns the group's lag according to the metric; None if it is absent."""
    found = [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "payments_consumer_lag_records" and sample.labels["group"] == group
    ]
    return sum(found) if found else None


async def test_the_lag_of_a_stopped_group_is_measured(kafka_bootstrap: str) -> None:
    """Records published while no consumer runs are counted."""
    registry, group = CollectorRegistry(), f"stopped-{uuid.uuid4().hex}"
    lag = ConsumerLag(kafka_bootstrap, {group: (PROVIDER_RESULTS,)}, 1.0, WorkerMetrics(registry))
    await until(lag.measure, 30)  # brokers that just started have no coordinator yet
    before = waiting(registry, group)
    assert before is not None
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for number in range(5):
            await producer.send_and_wait(PROVIDER_RESULTS, b"x", partition=number % 2)
    assert await lag.measure()
    assert waiting(registry, group) == before + 5


class _Failing:
    """A source that raises its failures, then measures."""

    failures: list[BaseException]

    def __init__(self, _bootstrap: str, _group: str) -> None:
        self.failures = []

    async def by_partition(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """See ``LagSource.by_partition``."""
        if self.failures:
            raise self.failures.pop()
        return {(topic, 0): 3 for topic in topics}


@pytest.mark.parametrize(
    "error",
    [KafkaConnectionError(), TimeoutError(), KeyError("planted"), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_lag_that_cannot_be_measured_is_absent(error: BaseException) -> None:
    """The error is counted, and the next measurement restores the metric."""
    registry, made = CollectorRegistry(), _Failing("", "")
    lag = ConsumerLag(
        "", {"group": ("topic",)}, 1.0, WorkerMetrics(registry), make_source=lambda *_: made
    )
    assert await lag.measure()
    assert waiting(registry, "group") == 3
    made.failures = [error]
    assert not await lag.measure()
    assert waiting(registry, "group") is None
    assert registry.get_sample_value("payments_worker_errors_total", {"loop": LOOP}) == 1
    assert await lag.measure()
    assert waiting(registry, "group") == 3
