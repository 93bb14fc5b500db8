"""The Faust app: one agent over the three co-partitioned sources, and the table of seen events."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

import faust
from faust.types import StreamT
from psycopg_pool import AsyncConnectionPool

from processor.batch import BatchProcessor
from processor.decode import Decoder
from processor.metrics import StreamMetrics
from processor.publisher import StatePublisher, fenced_producer
from processor.seen import SeenTable
from processor.sender import Sender
from processor.status_server import Health
from processor.store.postgres import PostgresBatches
from providers.port import Translator
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings
from schemas.topics import PAYMENT_COMMANDS, PROCESSOR_SOURCES

log = logging.getLogger(__name__)

APP_ID: Final = "payments-processor"
#: The exit code that asks the supervisor to start this worker anew .
RESTART: Final = os.EX_TEMPFAIL
ROCKSDB_OPTIONS: Final = {
    "driver": "rocksdict",
    # the defaults take 2 GiB of cache and 90 % of all file handles per partition
    "block_cache_size": 32 << 20,
    "write_buffer_size": 16 << 20,
    "max_open_files": 512,
}


def create_app(kafka: KafkaSettings, stream: StreamSettings) -> faust.App:
    """A Faust app with the settings that lose nothing; agents are added by ``wire``."""
    return faust.App(
        APP_ID,
        broker=[f"kafka://{host}" for host in kafka.kafka_bootstrap.split(",")],
        store="rocksdb://",
        datadir=str(stream.data_dir),
        processing_guarantee="at_least_once",
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=1.0,
        broker_session_timeout=stream.session_timeout_s,
        broker_heartbeat_interval=stream.session_timeout_s / 15,
        broker_max_poll_records=2000,
        stream_buffer_maxsize=8192,
        producer_acks=-1,
        producer_linger=0.02,
        producer_max_batch_size=262_144,
        producer_request_timeout=30.0,
        table_standby_replicas=0,
    )


def wire(
    app: faust.App,
    kafka: KafkaSettings,
    database: DatabaseSettings,
    stream: StreamSettings,
    translators: Mapping[str, Translator],
    metrics: StreamMetrics,
    health: Health,
    clock: Callable[[], datetime],
) -> None:
    """Puts the agent and its parts together on the app."""
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        database.database_url.get_secret_value(),
        min_size=1,
        max_size=2,
        timeout=10.0,
        open=False,
        name="stream",
    )
    table = app.Table(
        "seen",
        key_type=bytes,
        value_type=bytes,
        partitions=kafka.partitions,
        options=ROCKSDB_OPTIONS,
    )
    make = fenced_producer(kafka.kafka_bootstrap, APP_ID)
    publisher = StatePublisher(make, stream.publish_deadline_s)
    sender = Sender(kafka.kafka_bootstrap, f"{APP_ID}-dead-letters", stream.publish_deadline_s)
    retention = timedelta(seconds=stream.seen_retention_s)
    seen = SeenTable(table, stream.seen_per_payment, retention, clock)
    decoder = Decoder(translators)
    store = PostgresBatches(pool, decoder.decode)
    processor = BatchProcessor(decoder, store, seen, publisher, sender, metrics, clock)
    ours = asyncio.Event()  # set while the assigned partitions are fenced and caught up

    @app.on_partitions_revoked.connect  # type: ignore[arg-type]  # the signal argument is in **_
    async def revoked(_app: Any, *lost: Any, **_: Any) -> None:
        log.info("partitions.revoked count=%d", len(lost[0]))
        ours.clear()
        health.ready = False

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]  # as above
    async def assigned(_app: Any, *given: Any, **_: Any) -> None:
        partitions = sorted(tp.partition for tp in given[0] if tp.topic == PAYMENT_COMMANDS)
        await pool.open()
        await processor.take_over(partitions)
        log.info("partitions.assigned partitions=%s", partitions)
        ours.set()
        health.ready = True

    sources = app.topic(*PROCESSOR_SOURCES, key_type=bytes, value_type=bytes)

    @app.agent(sources, concurrency=1)
    async def payments(events: StreamT[Any]) -> None:
        batches = cast("faust.Stream[Any]", events).noack_take(
            stream.batch_size, stream.batch_wait_s
        )
        await _run(batches, processor, ours)


async def _run(batches: AsyncIterator[Any], processor: BatchProcessor, ours: asyncio.Event) -> None:
    """Batch after batch, until the unexpected: then the process ends at once.

    An exception that left an agent would acknowledge what it failed on. This way nothing is
    acknowledged, and everything is read again.
    """
    try:
        async for batch in batches:
            await ours.wait()
            await processor.process(batch)
    except Exception:
        log.exception("stream.stopped: the worker starts anew")
        logging.shutdown()
        os._exit(RESTART)
