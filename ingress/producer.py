"""One aiokafka producer: opened, checked and closed with deadlines that hold when Kafka is away."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer

from schemas.topics import (
    PAYMENT_COMMANDS,
    PROVIDER_WEBHOOKS,
    PROVIDER_WEBHOOKS_UNROUTED,
    TOPICS,
)

WRITTEN: Final = (PAYMENT_COMMANDS, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED)
COPARTITIONED: Final[Mapping[str, bool]] = {t.name: t.copartitioned for t in TOPICS}
#: A webhook waits no longer for company; with less, the brokers have many more requests to answer.
LINGER_MS: Final = 5
MAX_BATCH_BYTES: Final = 256 * 1024
#: Room for a record's key and headers beside its value.
RECORD_OVERHEAD_BYTES: Final = 4 * 1024
REQUEST_TIMEOUT_MS: Final = 10_000
CONNECT_DEADLINE_S: Final = 10.0
FLUSH_DEADLINE_S: Final = 2.0
#: A cancelled sender ends when the requests it has sent have timed out.
PATIENCE_S: Final = REQUEST_TIMEOUT_MS / 1000 + 2.0
#: One that may not take that long is cancelled again: each time ends one of its requests.
LAST_CANCELS: Final = 20
LAST_CANCEL_WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """The brokers (``host:port,...``), and what is asked of the topics and of one record."""

    bootstrap: str
    partitions: int
    max_value_bytes: int


class TopicsNotReadyError(Exception):
    """The brokers answer, but the topics are not as they must be."""


async def open_producer(target: KafkaTarget) -> AIOKafkaProducer:
    """A started producer, its topics checked.

    Raises KafkaError, OSError or TimeoutError when the brokers don't answer, TopicsNotReadyError.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=target.bootstrap,
        client_id="payments-ingress",
        acks="all",
        enable_idempotence=True,
        linger_ms=LINGER_MS,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=target.max_value_bytes + RECORD_OVERHEAD_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await producer.start()
            await check_topics(producer, target.partitions)
    except BaseException:
        await close_producer(producer)
        raise
    return producer


async def check_topics(producer: AIOKafkaProducer, partitions: int) -> None:
    """Asks the brokers whether every topic written here is there and co-partitioned.

    Raises TopicsNotReadyError naming what is wrong, or what a silent broker makes of it.
    """
    cluster = await producer.client.fetch_all_metadata()
    wrong = []
    for topic in WRITTEN:
        found = cluster.partitions_for_topic(topic)
        if not found:
            wrong.append(f"topic {topic} is missing")
        elif COPARTITIONED[topic] and len(found) != partitions:
            wrong.append(
                f"topic {topic} has {len(found)} partitions, PAYMENTS_PARTITIONS says {partitions}"
            )
    if wrong:
        raise TopicsNotReadyError("; ".join(wrong))


async def close_producer(producer: AIOKafkaProducer) -> None:
    """Flushes for ``FLUSH_DEADLINE_S``, then closes without; cancelling it hurries it up.

    ``stop()`` alone waits for a silent broker for ever, and cancelling it leaves the sender at work
    in the dark (aiokafka issue 1101). So the sender is ended first, and what it still held is
    dropped: whoever waited for that has been told that its fate is unknown.
    """
    sender = producer._sender.sender_task  # noqa: SLF001  # there is no public way to end it
    accumulator = producer._message_accumulator  # noqa: SLF001  # nor to drop what it holds
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_DEADLINE_S):
                await producer.flush()
        if sender is not None:
            sender.cancel()
            await asyncio.wait({sender}, timeout=PATIENCE_S)
    finally:
        for _ in range(LAST_CANCELS):
            if sender is None or sender.done():
                break
            sender.cancel()
            await asyncio.wait({sender}, timeout=LAST_CANCEL_WAIT_S)
        accumulator._batches.clear()  # noqa: SLF001  # see above
        accumulator._pending_batches.clear()  # noqa: SLF001  # see above
        await producer.stop()
