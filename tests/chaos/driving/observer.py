"""A consumer of what is published, without links. It records every committed record."""

import asyncio
import json
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from sandbox.client import Json
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE
from tests.chaos.history import Answered, History, Published
from tests.conftest import PARTITIONS

ROUND_MS: Final = 100


async def observe(bootstrap: str, history: History, on_payment: Callable[[Json], None]) -> None:
    """Reads until cancelled. Calls ``on_payment`` with each newer version of a payment."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    known: dict[str, int] = {}
    async with consumer:
        topics = (PAYMENT_STATE, PAYMENT_OPERATIONS)
        consumer.assign([TopicPartition(topic, p) for topic in topics for p in range(PARTITIONS)])
        while True:
            found = await consumer.getmany(timeout_ms=ROUND_MS)
            for record in (record for part in found.values() for record in part):
                payment = json.loads(record.value)
                if record.topic == PAYMENT_OPERATIONS:
                    history.record(_answer(payment))
                    continue
                payment_id, version = payment["id"], payment["version"]
                history.record(Published(
                    partition=record.partition, offset=record.offset, payment_id=payment_id,
                    version=version, status=payment["status"],
                ))  # fmt: skip
                if version > known.get(payment_id, 0):
                    known[payment_id] = version
                    on_payment(payment)
            await asyncio.sleep(0)  # lets other tasks run


def _answer(operation: Json) -> Answered:
    return Answered(
        operation_id=operation["id"], status=operation["status"], code=operation["code"]
    )
