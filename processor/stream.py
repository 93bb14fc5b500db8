"""The Faust app: one agent over the three co-partitioned sources, and the table of seen events."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import faust
from faust.types import StreamT
from psycopg_pool import AsyncConnectionPool

from processor import pipeline
from processor.batch import BatchProcessor, Event
from processor.closing import close_at_the_end
from processor.decode import Decoder
from processor.faust_internals.batches import batches
from processor.faust_internals.consumer import StrictConsumer
from processor.faust_internals.schema import RawSchema
from processor.faust_internals.table import PartitionedTable, records_to_recover
from processor.health import Health
from processor.metrics import StreamMetrics
from processor.ports import BatchStore, Entries, StatePublishing
from processor.publisher import ProducerFactory, StatePublisher, fenced_producer
from processor.pulse import Pulse
from processor.restart import start_anew
from processor.seen import SeenTable
from processor.sender import Sender
from processor.store.batch import Decode
from processor.store.patience import CONNECTING, ServingConnection
from processor.store.postgres import Pool, PostgresBatches, limit_transactions
from processor.watchdog import Activity
from providers.port import Translator
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings
from schemas.topics import (
    BATCH_BYTES_MAX,
    ENVELOPE_BYTES,
    PAYMENT_COMMANDS,
    PROCESSOR_SOURCES,
    RECORD_BYTES_MAX,
    fetching,
)

log = logging.getLogger(__name__)

APP_ID: Final = "payments-processor"
#: What a worker must hear from in order to be ready.
POSTGRES: Final = "postgres"
BROKERS: Final = "brokers"
ASK_EVERY_S: Final = 2.0
ASK_WITHIN_S: Final = 5.0
ROCKSDB_OPTIONS: Final = {
    "driver": "rocksdict",
    # the defaults take 2 GiB of cache and 90 % of all file handles per partition
    "block_cache_size": 32 << 20,
    "write_buffer_size": 16 << 20,
    "max_open_files": 512,
}


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What makes the worker's parts; each is called as the class or function it stands for."""

    store: Callable[[Pool, Decode], BatchStore] = PostgresBatches
    producers: Callable[[str, str], ProducerFactory] = fenced_producer
    publisher: Callable[[ProducerFactory, float], StatePublishing] = StatePublisher
    sender: Callable[[str, str, float], Sender] = Sender
    seen: Callable[[Entries, int, timedelta, Callable[[], datetime]], SeenTable] = SeenTable
    processor: Callable[..., BatchProcessor] = BatchProcessor


REAL_PARTS: Final = StreamParts()


def create_app(kafka: KafkaSettings, stream: StreamSettings) -> faust.App:
    """A Faust app with the settings that lose nothing; agents are added by ``wire``."""
    app = faust.App(
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
        # A broker that has just started may name no topic; partitions are then assigned without
        # any, and again once metadata is asked for anew. Five minutes of nothing by default.
        consumer_metadata_max_age_ms=5_000,
        stream_buffer_maxsize=8192,
        producer_acks=-1,
        # what it sends is a whole batch already (faust_internals.table)
        producer_linger=0.0,
        producer_max_batch_size=BATCH_BYTES_MAX,
        producer_max_request_size=RECORD_BYTES_MAX - ENVELOPE_BYTES,
        consumer_max_fetch_size=fetching(*PROCESSOR_SOURCES)["max_partition_fetch_bytes"],
        producer_request_timeout=30.0,
        table_standby_replicas=stream.standby_replicas,
    )
    app.transport.Consumer = StrictConsumer  # type: ignore[misc]  # looked up on the instance
    return app


def _pool(database: DatabaseSettings, stream: StreamSettings) -> Pool:
    """The worker's connections. Not opened."""
    return AsyncConnectionPool(
        database.database_url.get_secret_value(),
        connection_class=ServingConnection,
        kwargs=dict(CONNECTING),
        min_size=1,
        max_size=2,
        timeout=10.0,
        open=False,
        name="stream",
        # a worker that is silent for longer is dead, to Postgres as to the brokers
        configure=limit_transactions(stream.session_timeout_s),
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
    parts: StreamParts,
) -> Activity:
    """Puts the agent and its parts together on the app; answers where it notes what it does."""
    pool = _pool(database, stream)
    bootstrap, deadline_s = kafka.kafka_bootstrap, stream.publish_deadline_s
    table = app.Table(
        "seen",
        key_type=bytes,
        value_type=bytes,
        partitions=kafka.partitions,
        options=ROCKSDB_OPTIONS,
    )
    retention = timedelta(seconds=stream.seen_retention_s)
    decoder = Decoder(translators)
    publisher = parts.publisher(parts.producers(bootstrap, APP_ID), deadline_s)
    sender = parts.sender(bootstrap, f"{APP_ID}-dead-letters", deadline_s)
    # Faust unwinds this stack once the agent has ended, whether it was stopped or has crashed
    for name, close in (
        ("pool", pool.close),
        ("state", partial(publisher.assign, ())),
        ("dead_letters", sender.close),
    ):
        close_at_the_end(app.async_exit_stack, name, close)
    processor = parts.processor(
        decoder,
        parts.store(pool, decoder.decode),
        parts.seen(PartitionedTable(app, table), stream.seen_per_payment, retention, clock),
        publisher,
        sender,
        metrics,
        clock,
    )
    activity = Activity()
    health.pulses = pulses = {name: Pulse() for name in (POSTGRES, BROKERS)}
    health.on_beat = partial(_write_down, app, activity)
    ours = _follow_rebalances(app, pool, processor, activity, health)
    sources = app.topic(*PROCESSOR_SOURCES, schema=RawSchema())

    @app.agent(sources, concurrency=1)
    async def payments(events: StreamT[Any]) -> None:
        taken = batches(events, stream.batch_size, stream.batch_wait_s)
        asking = asyncio.create_task(_ask_again_and_again(pool, activity, pulses[POSTGRES]))
        try:
            await _run(taken, processor, stream.batch_size, ours, activity)
        finally:
            asking.cancel()

    return activity


def _follow_rebalances(
    app: faust.App, pool: Pool, processor: BatchProcessor, activity: Activity, health: Health
) -> asyncio.Event:
    """An event that is set while the assigned partitions are fenced and caught up."""
    ours, recovered = asyncio.Event(), asyncio.Event()

    def look() -> None:
        """Both may come first: the partitions taken over, and their tables recovered."""
        health.put(in_place=ours.is_set() and recovered.is_set())

    @app.on_partitions_revoked.connect  # type: ignore[arg-type]  # the signal argument is in **_
    async def revoked(_app: Any, *lost: Any, **_: Any) -> None:
        log.info("partitions.revoked count=%d", len(lost[0]))
        ours.clear()
        recovered.clear()
        activity.partitions, activity.is_assigned = frozenset(), False
        look()

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]  # as above
    async def assigned(_app: Any, *given: Any, **_: Any) -> None:
        partitions = sorted(tp.partition for tp in given[0] if tp.topic == PAYMENT_COMMANDS)
        activity.partitions = frozenset(
            (tp.topic, tp.partition) for tp in given[0] if tp.topic in PROCESSOR_SOURCES
        )
        activity.is_assigned = True
        await pool.open()
        await processor.take_over(partitions)
        log.info("partitions.assigned partitions=%s", partitions)
        ours.set()
        look()

    @app.on_rebalance_complete.connect  # type: ignore[arg-type]  # as above
    async def complete(_app: Any, **_: Any) -> None:
        log.info("table.recovered")
        recovered.set()
        look()

    return ours


def _write_down(app: faust.App, activity: Activity) -> None:
    """Notes what the watchdog wants to know and only the worker's own loop may look at."""
    activity.recovering = records_to_recover(app)


async def _ask_again_and_again(pool: Pool, activity: Activity, pulse: Pulse) -> None:
    """Whether Postgres answers. A batch that was done has shown it.

    While a batch is under way, it is what waits for Postgres, and nothing else asks.
    """
    done = activity.batches
    while True:
        if activity.batches != done:
            done = activity.batches
            pulse.beat()
        elif activity.is_assigned and not activity.is_busy:
            await _ask(pool, pulse)
        await asyncio.sleep(ASK_EVERY_S)


async def _ask(pool: Pool, pulse: Pulse) -> None:
    try:
        async with asyncio.timeout(ASK_WITHIN_S), pool.connection(ASK_WITHIN_S) as connection:
            await connection.execute("select 1")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is no answer
        log.warning("postgres.silent error=%r", error)
    else:
        pulse.beat()


async def _run(
    taken: AsyncIterator[Sequence[Event]],
    processor: BatchProcessor,
    full: int,
    ours: asyncio.Event,
    activity: Activity,
) -> None:
    """Batch after batch, until the unexpected: then the process ends at once.

    An exception that left an agent would acknowledge what it failed on. This way nothing is
    acknowledged, and everything is read again.
    """
    try:
        await pipeline.run(activity.noting(taken), processor, full, ours.wait, activity.done)
    except Exception:
        log.exception("stream.stopped: the worker starts again")
        start_anew()
