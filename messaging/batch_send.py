"""Sends many records to one partition in as few batches as possible.

Sending records one by one costs a call, a metadata look-up and a future for each.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from schemas.headers import Headers


class KeyedRecord(Struct, frozen=True):
    """A record without its topic and partition. A value of None deletes the key."""

    key: bytes
    value: bytes | None
    headers: Headers = ()


async def send_in_batches(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[KeyedRecord]
) -> list[tuple[int, asyncio.Future[Any]]]:
    """Hands records to a producer, in order.

    Returns the number of records and the delivery future of each batch. Raises what
    ``AIOKafkaProducer.send_batch`` raises.
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
            _append(batch, record)  # the first record of a batch always fits
    await send()
    return sending


def _append(batch: Any, record: KeyedRecord) -> bool:
    """Adds the record to the batch. Returns whether it fitted."""
    added = batch.append(
        key=record.key, value=record.value, timestamp=None, headers=list(record.headers)
    )
    return added is not None
