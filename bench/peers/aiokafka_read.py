"""``python -m bench.peers.aiokafka_read``: a plain aiokafka consumer that reads and commits.

Like the processor's consumer, it takes up to 2000 records per poll and commits every second.
"""

import asyncio
import signal
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer

from bench.peers.progress import Progress, serve_progress
from schemas.settings import KafkaSettings, StreamSettings, load
from schemas.topics import PROCESSOR_SOURCES

GROUP: Final = "bench-aiokafka-read"
POLL_RECORDS: Final = 2000
POLL_MS: Final = 100
COMMIT_EVERY_S: Final = 1.0


async def read(consumer: AIOKafkaConsumer, progress: Progress, stop: asyncio.Event) -> None:
    """Reads until ``stop``, and commits once a second."""
    commit_at, committed = monotonic() + COMMIT_EVERY_S, 0
    while not stop.is_set():
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            progress.add(len(records), sum(len(record.value) for record in records))
        if monotonic() >= commit_at:
            if progress.records > committed:
                committed = progress.records
                await consumer.commit()
            commit_at = monotonic() + COMMIT_EVERY_S


async def main() -> None:
    """Reads until SIGTERM, then leaves the group."""
    kafka, stream = load(KafkaSettings), load(StreamSettings)
    progress, health = serve_progress()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AIOKafkaConsumer(
        *PROCESSOR_SOURCES,
        bootstrap_servers=kafka.kafka_bootstrap,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=POLL_RECORDS,
        session_timeout_ms=int(stream.session_timeout_s * 1000),
    ) as consumer:
        health.update(operational=True)
        await read(consumer, progress, stop)


if __name__ == "__main__":
    asyncio.run(main())
