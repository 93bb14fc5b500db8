"""``python -m bench.load.watch``: records when each version is first readable in ``payment-state``.

A downstream consumer in a separate process: it reads committed records from the topic's end, and
only their header with payment and version. On SIGTERM it reads to the current end and writes its
record.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from runtime.health import Health
from runtime.health_server import serve
from schemas.headers import as_text, version_name
from schemas.settings import KafkaSettings, MetricsSettings, load
from schemas.topics import PAYMENT_STATE

#: Longer than the time between two commits, so that records and not this timeout wake the poll.
POLL_MS: Final = 200


class Watch:
    """Reads records and their time of arrival."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        #: ``<payment ID>:<version>`` to seconds since the epoch.
        self.first_read: dict[str, float] = {}
        self._consumer = consumer

    async def read(self) -> None:
        """Reads available records; waits up to ``POLL_MS`` for the first."""
        for records in (await self._consumer.getmany(timeout_ms=POLL_MS)).values():
            now = time.time()
            for record in records:
                self.first_read.setdefault(version_name(as_text(record.headers)), now)

    async def read_to_the_end(self) -> None:
        """Reads to the current end."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while any([await self._consumer.position(p) < end for p, end in ends.items()]):
            await self.read()


async def watched() -> dict[str, float]:
    """Reads until SIGTERM, and returns the times by version."""
    status, kafka, health = load(MetricsSettings), load(KafkaSettings), Health()
    serve(status.metrics_host, status.metrics_port, CollectorRegistry(), health)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.kafka_bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
    ) as consumer:
        partitions = [TopicPartition(PAYMENT_STATE, number) for number in range(kafka.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        watch = Watch(consumer)
        health.update(operational=True)
        while not stop.is_set():
            await watch.read()
        await watch.read_to_the_end()
    return watch.first_read


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(msgspec.msgpack.encode(asyncio.run(watched())))
