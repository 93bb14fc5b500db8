"""Reads what the topics say: which records the log has, and what was published of each payment."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from messaging.lifetime import close_consumer, start_client
from messaging.log_reader import (
    CLOSE_TIMEOUT_S,
    REQUEST_TIMEOUT_MS,
    SILENCE_MAX_S,
    START_TIMEOUT_S,
    batches,
    extent,
    partitions_of,
    spans,
)
from processor.ops.audit.ranges import Ranges
from processor.ops.audit.tables import NEVER, Times
from processor.ops.invariants import digest
from processor.ops.ledger import Ledger
from processor.ops.progress import Report
from schemas.headers import QUARANTINED
from schemas.topics import (
    APP_ID,
    PAYMENT_OPERATIONS,
    PAYMENT_STATE,
    PROCESSOR_SOURCES,
    PROVIDER_WEBHOOKS_UNROUTED,
    ROUTER_GROUP,
    fetching,
)


async def acknowledged(bootstrap: str) -> dict[tuple[str, int], int]:
    """Returns the stream's committed offsets, by source topic and partition."""
    return await _committed(bootstrap, APP_ID, PROCESSOR_SOURCES)


async def routed(bootstrap: str) -> dict[tuple[str, int], int]:
    """Returns the router's committed offsets, by topic and partition."""
    return await _committed(bootstrap, ROUTER_GROUP, (PROVIDER_WEBHOOKS_UNROUTED,))


async def _committed(
    bootstrap: str, group: str, topics: Sequence[str]
) -> dict[tuple[str, int], int]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **fetching(*topics),
    )
    try:
        await start_client(consumer, START_TIMEOUT_S)
        found: dict[tuple[str, int], int] = {}
        async with asyncio.timeout(SILENCE_MAX_S):
            for topic in topics:
                for partition in await partitions_of(consumer, topic):
                    offset = await consumer.committed(partition)
                    found[topic, partition.partition] = offset or 0
        return found
    finally:
        await close_consumer(consumer, CLOSE_TIMEOUT_S)


async def read_log(
    bootstrap: str,
    acknowledged_: Mapping[tuple[str, int], int],
    ledger: Ledger,
    times: Times,
    since: datetime,
    report: Report,
) -> int:
    """Notes every record of the processor's sources since then in the ledger.

    Returns how many are too old not to be acknowledged.
    """
    lag = 0
    old = times.before.timestamp() * 1000
    for topic in PROCESSOR_SOURCES:
        wanted = await extent(bootstrap, topic, looked_up(since))
        total, done = sum(end - first for first, end in wanted.values()), 0
        report(f"records of {topic}", done, total)
        async for partition, found in spans(bootstrap, topic, wanted):
            unread = acknowledged_[topic, partition]
            for span in found:
                done += span.stop - span.offset
                middle = min(max(span.offset, unread), span.stop)
                ledger.log(topic, partition, span.offset, middle)
                note = ledger.wait if times.is_live else ledger.log
                note(topic, partition, middle, span.stop)
                lag += (span.stop - middle) * (span.timestamp < old)
            report(f"records of {topic}", done, total)
    return lag


async def read_published(bootstrap: str, ranges: Ranges, since: datetime, report: Report) -> None:
    """Notes every published record since then with its payment's range."""
    for topic, note in _NOTED.items():
        wanted = await extent(bootstrap, topic, looked_up(since))
        total, done = sum(end - first for first, end in wanted.values()), 0
        report(f"records of {topic}", done, total)
        async for found in batches(bootstrap, topic, wanted):
            for record in found:
                note(record, ranges)
            done += len(found)
            report(f"records of {topic}", done, total)


def looked_up(since: datetime) -> datetime | None:
    """Returns the time as a topic is asked for it. None: everything is read."""
    return None if since == NEVER else since


def _note_state(record: ConsumerRecord[bytes, bytes], ranges: Ranges) -> None:
    headers = dict(record.headers)
    ranges.publish(
        (record.key or b"").decode(),
        int(headers["ce_id"].rpartition(b":")[2]),
        digest(record.value or b""),
        quarantined=QUARANTINED in headers,
    )


def _note_operation(record: ConsumerRecord[bytes, bytes], ranges: Ranges) -> None:
    event_id = dict(record.headers).get("ce_id")
    if event_id is None:
        return  # the service wrote none such, and no answer is missing because of it
    operation_id, _, status = event_id.decode().rpartition(":")
    ranges.answer((record.key or b"").decode(), operation_id, status, digest(record.value or b""))


_NOTED: Final = {PAYMENT_STATE: _note_state, PAYMENT_OPERATIONS: _note_operation}
