"""Gathers the evidence for the invariants from a running system, at rest or live.

An effect is read before its cause: the marks of publications before the topic, the acknowledged
offsets before the log, and the tables last, as of one moment. So records in flight are never
reported as missing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaConsumer

from domain.status import Status
from messaging.lifetime import close_consumer, start_client
from messaging.log_reader import (
    CLOSE_TIMEOUT_S,
    REQUEST_TIMEOUT_MS,
    SILENCE_MAX_S,
    START_TIMEOUT_S,
    partitions_of,
    position,
    records,
)
from ports.records import RecordOffset
from postgres.deadlines import OperatingConnection
from postgres.ops import audit as sql
from processor.ops.invariants import Evidence, InboxEvidence, PaymentEvidence, VersionEvidence
from processor.ops.table_invariants import CallRow, Tables, VersionPlacement
from schemas.headers import QUARANTINED
from schemas.topics import APP_ID, PAYMENT_STATE, PROCESSOR_SOURCES, fetching

#: Later than everything: at rest, nothing is too young.
_ALWAYS: Final = datetime.max.replace(tzinfo=UTC)
#: Earlier than everything: nothing was deleted.
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
#: A call is noted as done after its result was sent, and may take as long as that.
_RESULT_BEFORE_DONE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """What was read from Kafka."""

    positions: frozenset[RecordOffset]
    unacknowledged: frozenset[RecordOffset]
    #: How many of the unacknowledged records are too old.
    lag: int
    published: Mapping[str, bytes]
    published_versions: Mapping[str, list[int]]
    #: Payments whose last record is marked as quarantined.
    quarantined: frozenset[str]


async def gather(
    kafka_bootstrap: str,
    database_url: str,
    settle_s: float = 0.0,
    retention_s: float | None = None,
) -> Evidence:
    """Reads the tables and topics into memory. Raises psycopg.Error, KafkaError.

    Args:
        kafka_bootstrap: the brokers.
        database_url: Postgres.
        settle_s: rows younger than this many seconds may be in flight. 0: the system is at rest.
        retention_s: the history of inputs older than this many seconds may be deleted. None: it
            is complete.
    """
    now = datetime.now(UTC)
    since = now - timedelta(seconds=retention_s) if retention_s is not None else _NEVER
    async with await OperatingConnection.connect(database_url) as connection:
        marked = await _marked(connection) if settle_s else None
        await connection.commit()
        before = now - timedelta(seconds=settle_s) if settle_s else _ALWAYS
        log = await _read_log(kafka_bootstrap, before, since)
        await connection.execute(sql.ONE_MOMENT)
        return await _with_tables(connection, log, marked, before, since)


async def _read_log(bootstrap: str, before: datetime, since: datetime) -> _Log:
    acknowledged = await _acknowledged(bootstrap)
    positions: set[RecordOffset] = set()
    unacknowledged: set[RecordOffset] = set()
    lag = 0
    for topic in PROCESSOR_SOURCES:
        async for record in records(bootstrap, topic):
            if record.timestamp < since.timestamp() * 1000:
                continue
            positions.add(position(record))
            if record.offset >= acknowledged[topic, record.partition]:
                unacknowledged.add(position(record))
                lag += record.timestamp < before.timestamp() * 1000
    published: dict[str, bytes] = {}
    versions: dict[str, list[int]] = {}
    quarantined: set[str] = set()
    async for record in records(bootstrap, PAYMENT_STATE):
        payment_id = (record.key or b"").decode()
        published[payment_id] = record.value or b""
        headers = dict(record.headers)
        versions.setdefault(payment_id, []).append(int(headers["ce_id"].rpartition(b":")[2]))
        (quarantined.add if QUARANTINED in headers else quarantined.discard)(payment_id)
    return _Log(
        positions=frozenset(positions),
        unacknowledged=frozenset(unacknowledged),
        lag=lag,
        published=published,
        published_versions=versions,
        quarantined=frozenset(quarantined),
    )


async def _with_tables(
    connection: psycopg.AsyncConnection[Any],
    log: _Log,
    marked: Mapping[str, int] | None,
    before: datetime,
    since: datetime,
) -> Evidence:
    async def rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return await (await connection.execute(statement.encode(), values)).fetchall()

    versions: dict[str, list[VersionEvidence]] = {}
    for version in map(_version, await rows(sql.VERSIONS, since)):
        versions.setdefault(version.payment_id, []).append(version)
    payments = await rows(sql.PAYMENTS)
    inbox = await rows(sql.INBOX, before)
    quarantines = {r[0]: r[1] for r in await rows(sql.QUARANTINED)}
    return Evidence(
        log=log.positions,
        unacknowledged=log.unacknowledged if marked is not None else frozenset(),
        inbox=[_input(r) for r in inbox],
        duplicates=[RecordOffset(*r) for r in await rows(sql.DUPLICATES)],
        dead_letters=[
            p
            for r in await rows(sql.DEAD_LETTERS)
            if (p := RecordOffset(*r)).topic in PROCESSOR_SOURCES
        ],
        payments={r[0]: _payment(r) for r in payments},
        documents={r[0]: r[7] for r in payments},
        versions=versions,
        published=log.published,
        published_versions=log.published_versions,
        due_versions=marked,
        is_whole=marked is None,
        quarantined=frozenset(quarantines),
        published_quarantined=log.quarantined if marked is None else None,
        due_calls=frozenset(r[0] for r in await rows(sql.DUE_CALLS, before)),
        unpublished=(await rows(sql.UNPUBLISHED, before))[0][0],
        unrouted=(await rows(sql.UNROUTED, before))[0][0],
        lag=log.lag,
        tables=Tables(
            refunds=_by_payment(await rows(sql.REFUNDS)),
            disputes=_by_payment(await rows(sql.DISPUTES)),
            calls=[_call(r) for r in await rows(sql.CALLS, before, since + _RESULT_BEFORE_DONE)],
            quarantines=quarantines,
            inbox={r[0]: (r[1], r[5]) for r in inbox},
            placements=[_placement(r) for r in await rows(sql.UNPUBLISHED_VERSIONS)],
            positions={r[0]: RecordOffset(r[2], r[3], r[4]) for r in inbox},
        ),
    )


def _version(row: tuple[Any, ...]) -> VersionEvidence:
    payment_id, version, previous, status, event_id, is_old = row
    return VersionEvidence(
        payment_id=payment_id,
        version=version,
        previous_status=Status(previous) if previous else None,
        status=Status(status),
        event_id=event_id,
        is_old=is_old,
    )


def _placement(row: tuple[Any, ...]) -> VersionPlacement:
    payment_id, version, event_id, publication_id, partition = row
    return VersionPlacement(
        payment_id=payment_id,
        version=version,
        event_id=event_id,
        publication_id=publication_id,
        partition=partition,
    )


def _input(row: tuple[Any, ...]) -> InboxEvidence:
    event_id, payment_id, topic, partition, offset, outcome, version, is_young, *_ = row
    return InboxEvidence(
        event_id=event_id,
        payment_id=payment_id,
        position=RecordOffset(topic, partition, offset),
        outcome=outcome,
        version=version,
        is_young=is_young,
    )


def _call(row: tuple[Any, ...]) -> CallRow:
    key, payment_id, provider, operation, request, needs_result = row
    return CallRow(
        key=key,
        payment_id=payment_id,
        provider=provider,
        operation=operation,
        request=request,
        needs_result=needs_result,
    )


def _payment(row: tuple[Any, ...]) -> PaymentEvidence:
    payment_id, status, version, amount, authorized, captured, refunded, _, *more = row
    snapshot, *repeated = more
    repeats = dict(zip(sql.REPEATED_COLUMNS, repeated, strict=True))
    return PaymentEvidence(
        payment_id=payment_id,
        status=Status(status),
        version=version,
        amount=amount,
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        snapshot=snapshot.encode(),
        repeats=repeats,
    )


def _by_payment(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Groups rows by their first column, the payment ID, and removes it."""
    found: dict[str, list[Any]] = {}
    for payment_id, *row in rows:
        found.setdefault(payment_id, []).append(tuple(row))
    return found


async def _acknowledged(bootstrap: str) -> dict[tuple[str, int], int]:
    """Returns the stream's committed offsets, by source topic and partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=APP_ID,
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **fetching(*PROCESSOR_SOURCES),
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        found: dict[tuple[str, int], int] = {}
        async with asyncio.timeout(SILENCE_MAX_S):
            for topic in PROCESSOR_SOURCES:
                for partition in await partitions_of(consumer, topic):
                    offset = await consumer.committed(partition)
                    found[topic, partition.partition] = offset or 0
        return found
    finally:
        await close_consumer(consumer, CLOSE_TIMEOUT_S)


async def _marked(connection: psycopg.AsyncConnection[Any]) -> dict[str, int]:
    """Returns the last version marked as published, by payment ID."""
    return {
        row[0]: row[1] for row in await (await connection.execute(sql.LAST_PUBLISHED)).fetchall()
    }
