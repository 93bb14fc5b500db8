"""The app: an agent on ``provider-webhooks``, and its table of event IDs."""

from typing import Any, Final

import faust
from faust.types import StreamT, TopicT
from psycopg_pool import AsyncConnectionPool

from bench.peers.progress import Progress
from bench.peers.sync_fastapi.transaction import UnknownPaymentError, process
from decisions.dead_letters import as_outgoing
from decisions.decode import Decoder
from ports.records import ConsumedRecord, DeadLetter
from processor.stream.app import ROCKSDB_OPTIONS
from processor.stream.events import as_record
from schemas.headers import EVENT_ID, cloud_event
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings
from schemas.topics import DEAD_LETTERS, PAYMENT_STATE, PROVIDER_WEBHOOKS

APP_ID: Final = "bench-idiomatic-faust"

Pool = AsyncConnectionPool[Any]


def _tuned_app(kafka: KafkaSettings, stream: StreamSettings) -> faust.App:
    return faust.App(
        APP_ID,
        broker=[f"kafka://{host}" for host in kafka.kafka_bootstrap.split(",")],
        store="rocksdb://",
        datadir=str(stream.data_dir),
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_disable_leader=True,
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
    )


class Webhooks:
    """Processes webhooks whose event IDs are not in the table."""

    def __init__(self, pool: Pool, decoder: Decoder, states: TopicT, dead_letters: TopicT) -> None:
        self._pool = pool
        self._decoder = decoder
        self._states = states
        self._dead_letters = dead_letters

    async def apply(self, record: ConsumedRecord) -> None:
        """Commits its effect and sends the new state. Raises psycopg.Error."""
        received = self._decoder.decode(record)
        if isinstance(received, DeadLetter):
            await self._give_up(received)
            return
        what = (received.payment_id, received.kind, received.input, record.position)
        try:
            async with self._pool.connection() as connection:
                new = await process(connection, *what)
        except UnknownPaymentError as error:
            await self._give_up(DeadLetter(record, f"no such payment: {error}"))
            return
        if new is not None:
            await self._states.send(
                key=new.payment_id.encode(),
                value=new.snapshot,
                headers=cloud_event(new.payment_id, new.version, new.at, new.version),
            )

    async def _give_up(self, dead_letter: DeadLetter) -> None:
        for record in as_outgoing([dead_letter]):
            headers = list(record.headers)
            await self._dead_letters.send(key=record.key, value=record.value, headers=headers)


def create_app(
    kafka: KafkaSettings,
    database: DatabaseSettings,
    stream: StreamSettings,
    decoder: Decoder,
    progress: Progress,
) -> faust.App:
    """The whole program."""
    app = _tuned_app(kafka, stream)
    pool: Pool = AsyncConnectionPool(
        database.database_url.get_secret_value(),
        min_size=1,
        max_size=1,
        kwargs={"autocommit": True, "prepare_threshold": 1},
        open=False,
    )
    incoming, states, dead_letters = (
        app.topic(name, key_type=bytes, value_type=bytes)
        for name in (PROVIDER_WEBHOOKS, PAYMENT_STATE, DEAD_LETTERS)
    )
    known = app.Table(
        "seen",
        key_type=bytes,
        value_type=bytes,
        partitions=kafka.partitions,
        options=ROCKSDB_OPTIONS,
    )
    webhooks = Webhooks(pool, decoder, states, dead_letters)

    @app.agent(incoming)
    async def payments(events: StreamT[Any]) -> None:
        async with pool:
            async for event in events.events():
                record = as_record(event)
                event_id = record.headers.get(EVENT_ID, "").encode()
                if known.get(event_id) is None:
                    await webhooks.apply(record)
                    known[event_id] = b"1"
                progress.add(1, len(record.value))

    return app
