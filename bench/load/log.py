"""The log under measurement: writes and reads it, and tracks its consumer group's progress."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError

from bench.errors import StuckError
from bench.load.events import Delivery
from bench.site import PARTITIONS, Site
from messaging.batch_send import KeyedRecord, send_in_batches
from messaging.sender import Sender
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent, Webhook
from processor.worker.webhook_records import fetched
from schemas.commands import CommandBase
from schemas.headers import as_text, version_name
from schemas.topics import APP_ID, PAYMENT_COMMANDS, PAYMENT_STATE, PROCESSOR_SOURCES

Ends = Mapping[TopicPartition, int]

#: Longer than the 45 s after which an abandoned session expires.
SHARED_WITHIN_S: Final = 90.0
#: Records per send: no more than a producer can deliver within its deadline.
FILLED_AT_ONCE: Final = 20_000
FEED_WITHIN_S: Final = 120.0
PROCESSED_WITHIN_S: Final = 900.0
POLL_S: Final = 0.1


def _partitions(topics: Iterable[str]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]


SOURCES: Final = _partitions(PROCESSOR_SOURCES)


def commands_as_records(commands: Iterable[CommandBase]) -> list[ProducerRecord]:
    """The records that the ingress would publish."""
    return [
        ProducerRecord(PAYMENT_COMMANDS, c.payment_id.encode(), c.model_dump_json().encode(), ())
        for c in commands
    ]


def deliveries_as_records(deliveries: Iterable[Delivery]) -> list[ProducerRecord]:
    """The records that the ingress would publish."""
    now = datetime.now(UTC)
    return [
        fetched(FetchedEvent(Webhook(d.event_id, d.object_id, d.payment_id), d.body), "stripe", now)
        for d in deliveries
    ]


async def feed(site: Site, records: Sequence[ProducerRecord]) -> None:
    """Publishes the records and awaits their acknowledgements. Raises PublishError."""
    sender = Sender(site.kafka_bootstrap, "payments-bench", FEED_WITHIN_S)
    try:
        await sender.send(records)
    finally:
        await sender.close()


async def ends(site: Site, topics: Iterable[str] = PROCESSOR_SOURCES) -> Ends:
    """The current end offsets of these topics, partitioned like the processor's sources."""
    async with _reader(site) as consumer:
        found: Ends = await consumer.end_offsets(_partitions(topics))
        return found


async def count(site: Site, topic: str) -> int:
    """The number of records ever written to a topic, partitioned like the sources."""
    return sum((await ends(site, [topic])).values())


async def fill(site: Site, topic: str, records: Iterable[KeyedRecord]) -> None:
    """Publishes records to a topic's partitions in turn, in large batches."""
    async with AIOKafkaProducer(bootstrap_servers=site.kafka_bootstrap, acks="all") as producer:
        left = iter(records)
        while some := list(islice(left, FILLED_AT_ONCE)):
            for number in range(PARTITIONS):
                sent = await send_in_batches(producer, topic, number, some[number::PARTITIONS])
                for _, sending in sent:
                    await sending


async def read(site: Site, begin: Ends) -> list[Any]:
    """Every record from ``begin`` to the present ends of its partitions."""
    async with _reader(site) as consumer:
        finish = await consumer.end_offsets(list(begin))
        consumer.assign(list(begin))
        for partition, offset in begin.items():
            consumer.seek(partition, offset)
        records: list[Any] = []
        while any([await consumer.position(p) < finish[p] for p in begin]):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                records += part
        return records


async def published(site: Site, begin: Ends) -> set[str]:
    """``<payment ID>:<version>`` of every record of ``payment-state`` from ``begin`` on."""
    records = await read(site, {p: at for p, at in begin.items() if p.topic == PAYMENT_STATE})
    return {version_name(as_text(record.headers)) for record in records}


async def skip_to_end(site: Site, group: str = APP_ID) -> None:
    """Commits the current ends of the sources for the group, which must have no running worker.

    A worker that was stopped during a rebalance has not left the group; this waits until its
    session expires. Raises StuckError.
    """
    await until_shared(site, 0, group)
    async with _reader(site, group_id=group) as consumer:
        consumer.assign(SOURCES)
        await consumer.commit(await consumer.end_offsets(SOURCES))


async def until_shared(site: Site, workers: int, group: str = APP_ID) -> None:
    """Waits until this many workers have equal shares of the partitions; for 0, until none runs.

    Raises StuckError.
    """
    wanted = [PARTITIONS // workers] * workers if workers else []

    async def missing(admin: AIOKafkaAdminClient) -> str:
        parts = await _parts(admin, group)
        return "" if parts == wanted else f"{workers} workers have {parts} partitions"

    await _until(site, missing, SHARED_WITHIN_S)


async def _until(
    site: Site, missing: Callable[[AIOKafkaAdminClient], Awaitable[str]], within_s: float
) -> None:
    """Waits until nothing is missing. Raises StuckError, which names what was missing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=site.kafka_bootstrap)
    await admin.start()
    what = "no response"
    try:
        async with asyncio.timeout(within_s):
            while what := await missing(admin):  # noqa: ASYNC110  # only the brokers know
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise StuckError(f"after {within_s:g} s: {what}") from error
    finally:
        await admin.close()


async def _parts(admin: AIOKafkaAdminClient, group: str) -> list[int] | None:
    """The number of a source's partitions per member of the group; None if it is unknown."""
    try:
        (response,) = await admin.describe_consumer_groups([group])
    except GroupCoordinatorNotAvailableError:  # a new broker has none at first
        return None
    ((_, _, state, _, _, members, *_),) = response.groups
    if state not in {"Stable", "Empty", "Dead"}:
        return None
    assigned = [ConsumerProtocolMemberAssignment.decode(member[-1]) for member in members]
    return [sum(p.topic == PAYMENT_COMMANDS for p in each.partitions()) for each in assigned]


async def until_processed(site: Site, group: str = APP_ID) -> None:
    """Waits until the group has acknowledged all records. Raises StuckError."""
    finish = await ends(site)

    async def missing(admin: AIOKafkaAdminClient) -> str:
        committed = await admin.list_consumer_group_offsets(group)
        lag = sum(
            max(0, end - (committed[p].offset if p in committed else 0))
            for p, end in finish.items()
        )
        return f"{lag} records wait" if lag else ""

    await _until(site, missing, PROCESSED_WITHIN_S)


def _reader(site: Site, group_id: str | None = None) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=site.kafka_bootstrap, group_id=group_id, enable_auto_commit=False
    )
