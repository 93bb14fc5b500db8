"""A consumer of ``payment-state``, past all links, that writes down every committed record."""

import asyncio
import json
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from sandbox.client import Json
from schemas.topics import PAYMENT_STATE
from tests.chaos.history import History, Published
from tests.conftest import PARTITIONS

ROUND_MS: Final = 100


async def observe(bootstrap: str, history: History, tell: Callable[[Json], None]) -> None:
    """Until cancelled. ``tell`` is called with each payment that is newer than what it knew."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    known: dict[str, int] = {}
    async with consumer:
        consumer.assign([TopicPartition(PAYMENT_STATE, p) for p in range(PARTITIONS)])
        while True:
            found = await consumer.getmany(timeout_ms=ROUND_MS)
            for record in (record for part in found.values() for record in part):
                payment = json.loads(record.value)
                payment_id, version = payment["id"], payment["version"]
                history.note(Published(
                    partition=record.partition, offset=record.offset, payment_id=payment_id,
                    version=version, status=payment["status"],
                ))  # fmt: skip
                if version > known.get(payment_id, 0):
                    known[payment_id] = version
                    tell(payment)
            await asyncio.sleep(0)  # the others' turn, however much there is
