"""The Faust app: one agent over the three co-partitioned sources, and the dedup table."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import faust
from faust.types import StreamT
from psycopg_pool import AsyncConnectionPool

from decisions.decode import Decoder
from messaging.sender import Sender
from messaging.transactional_publisher import ProducerFactory, StatePublisher, fenced_producer
from ports.provider import Translator
from ports.records import Decode
from ports.stores import BatchStore, TableEntries, TransactionalPublisher
from postgres.deadlines import CONNECTING, ServingConnection
from postgres.stores import Pool, PostgresBatches, PostgresUnread, limit_transactions, probe
from processor.stream import pipeline
from processor.stream.batch import BatchProcessor
from processor.stream.dedup_table import DedupTable
from processor.stream.events import Event
from processor.stream.faust_internals.batches import batches
from processor.stream.faust_internals.consumer import StrictConsumer
from processor.stream.faust_internals.schema import RawSchema
from processor.stream.faust_internals.table import PartitionedTable, records_to_recover
from processor.stream.metrics import StreamMetrics
from processor.stream.unknown_accounts import UnknownAccounts
from processor.stream.watchdog import Activity
from runtime.cleanup import close_on_exit
from runtime.health import Health
from runtime.heartbeat import Heartbeat
from runtime.logs import get_logger
from runtime.restart import restart_process
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings
from schemas.topics import (
    APP_ID,
    BATCH_BYTES_MAX,
    COMPRESSION,
    ENVELOPE_BYTES,
    PAYMENT_COMMANDS,
    PROCESSOR_SOURCES,
    PROVIDER_WEBHOOKS,
    RECORD_BYTES_MAX,
    fetching,
)

log = get_logger(__name__)

#: The worker is ready only while both answer.
POSTGRES: Final = "postgres"
BROKERS: Final = "brokers"
PROBE_EVERY_S: Final = 2.0
PROBE_TIMEOUT_S: Final = 5.0
ROCKSDB_OPTIONS: Final = {
    "driver": "rocksdict",
    # the defaults take 2 GiB of cache and 90 % of all file handles per partition
    "block_cache_size": 32 << 20,
    "write_buffer_size": 16 << 20,
    "max_open_files": 512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParts:
    """The factories of the worker's parts. Tests replace single ones."""

    store: Callable[[Pool, Decode], BatchStore] = PostgresBatches
    producers: Callable[[str, str], ProducerFactory] = fenced_producer
    publisher: Callable[[ProducerFactory, float], TransactionalPublisher] = StatePublisher
    sender: Callable[[str, str, float], Sender] = Sender
    dedup: Callable[[TableEntries, int, timedelta, Callable[[], datetime]], DedupTable] = DedupTable
    processor: Callable[..., BatchProcessor] = BatchProcessor


REAL_PARTS: Final = StreamParts()


def create_app(kafka: KafkaSettings, stream: StreamSettings) -> faust.App:
    """Returns a Faust app with settings that lose no record; ``wire`` adds the agent."""
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
        # A broker that has just started may list no topic; then no partitions are assigned until
        # the metadata is refreshed, by default after five minutes.
        consumer_metadata_max_age_ms=5_000,
        stream_buffer_maxsize=8192,
        producer_acks=-1,
        # each send is a whole batch already (faust_internals.table)
        producer_linger=0.0,
        producer_max_batch_size=BATCH_BYTES_MAX,
        producer_compression_type=COMPRESSION,
        producer_max_request_size=RECORD_BYTES_MAX - ENVELOPE_BYTES,
        consumer_max_fetch_size=fetching(*PROCESSOR_SOURCES)["max_partition_fetch_bytes"],
        producer_request_timeout=30.0,
        table_standby_replicas=stream.standby_replicas,
    )
    app.transport.Consumer = StrictConsumer  # type: ignore[misc]  # looked up on the instance
    return app


def _pool(database: DatabaseSettings, stream: StreamSettings) -> Pool:
    """Returns the worker's connection pool, not opened yet."""
    return AsyncConnectionPool(
        database.database_url.get_secret_value(),
        connection_class=ServingConnection,
        kwargs=dict(CONNECTING),
        min_size=1,
        max_size=2,
        timeout=10.0,
        open=False,
        name="stream",
        # Postgres ends a silent session after the same time as the brokers do
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
    """Adds the agent and its parts to the app. Returns the activity that it keeps up to date."""
    pool = _pool(database, stream)
    bootstrap, deadline_s = kafka.kafka_bootstrap, stream.publish_deadline_s
    table = app.Table(
        "dedup",
        key_type=bytes,
        value_type=bytes,
        partitions=kafka.partitions,
        options=ROCKSDB_OPTIONS,
    )
    retention = timedelta(seconds=stream.dedup_retention_s)
    decoder = Decoder(translators)
    publisher = parts.publisher(parts.producers(bootstrap, APP_ID), deadline_s)
    sender = parts.sender(bootstrap, f"{APP_ID}-dead-letters", deadline_s)
    # Faust unwinds this stack once the agent has ended, also after a crash
    for name, close in (
        ("pool", pool.close),
        ("state", partial(publisher.assign, ())),
        ("dead_letters", sender.close),
    ):
        close_on_exit(app.async_exit_stack, name, close)
    processor = parts.processor(
        decoder,
        parts.store(pool, decoder.decode),
        parts.dedup(PartitionedTable(app, table), stream.dedup_per_payment, retention, clock),
        publisher,
        sender,
        metrics,
        clock,
    )
    unknown = UnknownAccounts(PostgresUnread(pool), sender, translators, metrics.unknown_accounts)
    activity = Activity()
    health.heartbeats = heartbeats = {name: Heartbeat() for name in (POSTGRES, BROKERS)}
    health.on_beat = partial(_record_recovery, app, activity)
    fenced = _follow_rebalances(app, pool, processor, activity, health)
    sources = app.topic(*PROCESSOR_SOURCES, schema=RawSchema())

    @app.agent(sources, concurrency=1)
    async def payments(events: StreamT[Any]) -> None:
        taken = batches(events, stream.batch_size, stream.batch_wait_s)
        probing = asyncio.create_task(_probe_postgres(pool, activity, heartbeats[POSTGRES]))
        looking = asyncio.create_task(unknown.run(partial(webhook_partitions, activity, fenced)))
        try:
            await _run(taken, processor, stream.batch_size, fenced, activity)
        finally:
            probing.cancel()
            looking.cancel()

    return activity


def _follow_rebalances(
    app: faust.App, pool: Pool, processor: BatchProcessor, activity: Activity, health: Health
) -> asyncio.Event:
    """Returns an event that is set while the assigned partitions are fenced and republished."""
    fenced, recovered = asyncio.Event(), asyncio.Event()

    def update_health() -> None:
        """Updates the health. Fencing and the table's recovery may end in either order."""
        health.update(operational=fenced.is_set() and recovered.is_set())

    @app.on_partitions_revoked.connect  # type: ignore[arg-type]  # the signal argument is in **_
    async def revoked(_app: Any, *lost: Any, **_: Any) -> None:
        log.info("partitions.revoked", count=len(lost[0]))
        fenced.clear()
        recovered.clear()
        activity.partitions, activity.is_assigned = frozenset(), False
        update_health()

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]  # as above
    async def assigned(_app: Any, *given: Any, **_: Any) -> None:
        partitions = sorted(tp.partition for tp in given[0] if tp.topic == PAYMENT_COMMANDS)
        activity.partitions = frozenset(
            (tp.topic, tp.partition) for tp in given[0] if tp.topic in PROCESSOR_SOURCES
        )
        activity.is_assigned = True
        await pool.open()
        await processor.on_assigned(partitions)
        log.info("partitions.assigned", partitions=partitions)
        fenced.set()
        update_health()

    @app.on_rebalance_complete.connect  # type: ignore[arg-type]  # as above
    async def complete(_app: Any, **_: Any) -> None:
        log.info("table.recovered")
        recovered.set()
        update_health()

    return fenced


def _record_recovery(app: faust.App, activity: Activity) -> None:
    """Records the table's recovery for the watchdog: only the worker's loop may read it."""
    activity.recovering = records_to_recover(app)


async def _probe_postgres(pool: Pool, activity: Activity, heartbeat: Heartbeat) -> None:
    """Beats while Postgres answers. A batch that is done proves it; otherwise a probe is sent.

    While a batch is in flight no probe is sent: the batch itself waits for Postgres.
    """
    done = activity.batches
    while True:
        if activity.batches != done:
            done = activity.batches
            heartbeat.beat()
        elif activity.is_assigned and not activity.is_busy:
            await _probe_once(pool, heartbeat)
        await asyncio.sleep(PROBE_EVERY_S)


def webhook_partitions(activity: Activity, fenced: asyncio.Event) -> frozenset[int]:
    """Returns the partitions whose webhooks this worker decides now."""
    mine = activity.partitions if fenced.is_set() else ()
    return frozenset(partition for topic, partition in mine if topic == PROVIDER_WEBHOOKS)


async def _probe_once(pool: Pool, heartbeat: Heartbeat) -> None:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe(pool, PROBE_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001  # every error means: no answer
        log.warning("postgres.silent", error=repr(error))
    else:
        heartbeat.beat()


async def _run(
    taken: AsyncIterator[Sequence[Event]],
    processor: BatchProcessor,
    full: int,
    fenced: asyncio.Event,
    activity: Activity,
) -> None:
    """Runs the pipeline. An error restarts the process at once.

    Faust would acknowledge the events of an agent that raised. This way nothing is acknowledged,
    and every record is read again.
    """
    try:
        await pipeline.run(activity.counted(taken), processor, full, fenced.wait, activity.done)
    except Exception:
        log.exception("stream.stopped", note="the worker restarts")
        restart_process()
