"""Gathers the evidence for the invariants from a running system at rest."""

from collections.abc import Callable
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from processor.domain.status import Status
from processor.invariants import Evidence, InboxEvidence, PaymentEvidence, VersionEvidence
from processor.records import Position
from processor.stream import APP_ID
from schemas.topics import PAYMENT_STATE, PROCESSOR_SOURCES

_INBOX: Final = (
    'select event_id, payment_id, topic, partition, "offset", outcome, version from inbox'
)
_DUPLICATES: Final = 'select topic, partition, "offset" from duplicates'
_DEAD: Final = 'select topic, partition, "offset" from dead_letters'
_PAYMENTS: Final = """
    select payment_id, status, version, amount, authorized, captured, refunded from payments"""
_VERSIONS: Final = """
    select payment_id, version, previous_status, status, event_id, snapshot::text
    from payment_versions order by payment_id, version"""
_HELD: Final = "select payment_id from holds"
_DUE: Final = "select call_key from provider_calls where state = 'due'"
_UNPUBLISHED: Final = "select count(*) from publications where published_at is null"
_UNROUTED: Final = "select count(*) from unrouted"


async def gather(kafka_bootstrap: str, database_url: str) -> Evidence:
    """Reads every table and topic concerned. Raises psycopg.Error, KafkaError."""
    log: set[Position] = set()
    for topic in PROCESSOR_SOURCES:
        await read_topic(kafka_bootstrap, topic, lambda r: log.add(_position(r)))
    published: dict[str, bytes] = {}
    seen: dict[str, list[int]] = {}

    def note(record: Any) -> None:
        payment_id = record.key.decode()
        published[payment_id] = record.value
        headers = dict(record.headers)
        seen.setdefault(payment_id, []).append(int(headers["ce_id"].rpartition(b":")[2]))

    await read_topic(kafka_bootstrap, PAYMENT_STATE, note)
    lag = await _lag(kafka_bootstrap)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:

        async def rows(statement: str) -> list[tuple[Any, ...]]:
            return await (await connection.execute(statement)).fetchall()

        versions: dict[str, list[VersionEvidence]] = {}
        for p, version, previous, status, event_id, snapshot in await rows(_VERSIONS):
            row = VersionEvidence(
                p, version, Status(previous) if previous else None, Status(status), event_id,
                snapshot.encode(),
            )  # fmt: skip
            versions.setdefault(p, []).append(row)
        return Evidence(
            log=frozenset(log),
            inbox=[
                InboxEvidence(r[0], r[1], Position(r[2], r[3], r[4]), r[5], r[6])
                for r in await rows(_INBOX)
            ],
            duplicates=[Position(*r) for r in await rows(_DUPLICATES)],
            dead_letters=[
                p for r in await rows(_DEAD) if (p := Position(*r)).topic in PROCESSOR_SOURCES
            ],
            payments={
                r[0]: PaymentEvidence(r[0], Status(r[1]), *r[2:]) for r in await rows(_PAYMENTS)
            },
            versions=versions,
            published=published,
            published_versions=seen,
            held=frozenset(r[0] for r in await rows(_HELD)),
            due_calls=frozenset(r[0] for r in await rows(_DUE)),
            unpublished=(await rows(_UNPUBLISHED))[0][0],
            unrouted=(await rows(_UNROUTED))[0][0],
            lag=lag,
        )


def _position(record: Any) -> Position:
    return Position(record.topic, record.partition, record.offset)


async def read_topic(bootstrap: str, topic: str, note: Callable[[Any], object]) -> None:
    """Every committed record of a topic, from its beginning to its present end."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = await _partitions(consumer, topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    note(record)
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    await consumer._client.force_metadata_update()  # noqa: SLF001  # no public call waits for it
    found = consumer._client.cluster.partitions_for_topic(topic)  # noqa: SLF001  # as above
    return [TopicPartition(topic, partition) for partition in sorted(found or ())]


async def _lag(bootstrap: str) -> int:
    """Records in the sources that the processor's group has not committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=APP_ID,
                                enable_auto_commit=False)  # fmt: skip
    await consumer.start()
    try:
        lag = 0
        for topic in PROCESSOR_SOURCES:
            partitions = await _partitions(consumer, topic)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                lag += ends[partition] - (await consumer.committed(partition) or 0)
        return lag
    finally:
        await consumer.stop()
