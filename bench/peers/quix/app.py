"""The dataframe: decode, deduplicate in the state, sink."""

from collections.abc import Sequence
from typing import Any, Final

from quixstreams import Application, State, message_context
from quixstreams.state.rocksdb import RocksDBOptions

from bench.peers.quix.group import GROUP
from bench.peers.quix.sink import Item, PaymentsSink
from decisions.decode import Decoder
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from schemas.headers import as_text
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings
from schemas.topics import PROVIDER_WEBHOOKS

#: A checkpoint ends after this many records or seconds.
COMMIT_EVERY: Final = 2000
COMMIT_INTERVAL_S: Final = 0.1
#: Between two polls the loop checks whether a checkpoint is due.
POLL_S: Final = 0.02
PRODUCER: Final = {"acks": "all", "linger.ms": 5, "batch.size": 262_144}


def create_app(
    kafka: KafkaSettings, database: DatabaseSettings, stream: StreamSettings, decoder: Decoder
) -> Application:
    """The whole program."""
    app = Application(
        kafka.kafka_bootstrap,
        consumer_group=GROUP,
        auto_offset_reset="earliest",
        processing_guarantee="at-least-once",
        commit_every=COMMIT_EVERY,
        commit_interval=COMMIT_INTERVAL_S,
        consumer_poll_timeout=POLL_S,
        consumer_extra_config={"session.timeout.ms": int(stream.session_timeout_s * 1000)},
        producer_extra_config=PRODUCER,
        state_dir=stream.data_dir,
        rocksdb_options=RocksDBOptions(write_buffer_size=16 << 20, block_cache_size=128 << 20),
        loglevel="WARNING",
        auto_create_topics=True,  # of the state's changelog
    )
    webhooks = app.topic(PROVIDER_WEBHOOKS, key_deserializer="bytes", value_deserializer="bytes")
    sink = PaymentsSink(
        database.database_url.get_secret_value(), app.get_producer(), decoder.decode
    )

    def decode(
        value: bytes, key: bytes, timestamp_ms: int, headers: Sequence[tuple[str, bytes]] | None
    ) -> Item:
        at = message_context()
        position = RecordOffset(at.topic, at.partition, at.offset)
        record = ConsumedRecord(
            position=position,
            key=key,
            value=value or b"",
            headers=as_text(headers or ()),
            timestamp_ms=timestamp_ms,
        )
        return Item(decoder.decode(record))

    def without_duplicates(item: Item, state: State) -> Item | None:
        if isinstance(item.decoded, DeadLetter):
            return item
        offset = item.decoded.record.position.offset
        known: Any = state.get(item.decoded.event_id)
        if known is None:
            state.set(item.decoded.event_id, offset)
            return item
        return None if known == offset else Item(item.decoded, is_duplicate=True)

    frame = app.dataframe(webhooks)
    frame = frame.apply(decode, metadata=True)
    frame = frame.apply(without_duplicates, stateful=True)
    frame.filter(lambda item: item is not None).sink(sink)
    return app
