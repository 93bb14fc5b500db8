"""Many records to one partition at once.

Sent one by one, each record is a call, a look at the topic's metadata and a future of its own.
Here they are put into as few batches as they fit in.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from schemas.headers import Headers


class KeyedRecord(Struct, frozen=True):
    """A record of whatever topic and partition; no value deletes the key."""

    key: bytes
    value: bytes | None
    headers: Headers = ()


async def send_in_batches(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[KeyedRecord]
) -> list[tuple[int, asyncio.Future[Any]]]:
    """Hands records to a producer, in order; for each batch, how many and what becomes of them.

    Raises what ``AIOKafkaProducer.send_batch`` raises.
    """
    sending: list[tuple[int, asyncio.Future[Any]]] = []
    batch = producer.create_batch()

    async def send() -> None:
        if count := batch.record_count():
            sending.append((count, await producer.send_batch(batch, topic, partition=partition)))

    for record in records:
        if not _append(batch, record):
            await send()
            batch = producer.create_batch()
            _append(batch, record)  # a first record always fits in
    await send()
    return sending


def _append(batch: Any, record: KeyedRecord) -> bool:
    """Whether the record still fits in."""
    added = batch.append(
        key=record.key, value=record.value, timestamp=None, headers=list(record.headers)
    )
    return added is not None
