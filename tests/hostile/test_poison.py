"""After any poison in a topic, the next record is processed and every offset is committed."""

import asyncio
import json
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, LiteralString

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient

from messaging.topic_admin import CHANGELOG
from processor.ops.dead_letters import read_dead_letters
from schemas import headers
from schemas.settings import KafkaSettings
from schemas.topics import (
    APP_ID,
    PAYMENT_COMMANDS,
    PROCESSOR_SOURCES,
    PROVIDER_WEBHOOKS_UNROUTED,
    ROUTER_GROUP,
    TOPICS,
)
from tests.hostile.poison import KEYLESS, poison
from tests.service import operator
from tests.service.stack import Stack
from tests.support.builders import command_body, payment
from tests.support.programs.routing import payout
from tests.support.raw_batches import Made, batch, publish

pytestmark = pytest.mark.anyio

WITHIN_S: Final = 60.0
_INBOX: Final[LiteralString] = "select outcome from inbox where event_id = %s"
_IGNORED: Final[LiteralString] = "select 'ignored' from ignored_webhooks where event_id = %s"


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Waits until the condition is true; fails after a limit."""
    deadline = time.monotonic() + WITHIN_S
    while not await condition():
        assert time.monotonic() < deadline, f"not in {WITHIN_S} s: {what}"
        await asyncio.sleep(0.05)  # between two checks


class Attack:
    """Publishes poison and good records to partition 0 of a running service's topics."""

    def __init__(self, service: Stack, client: AIOKafkaClient) -> None:
        self.service, self.client = service, client

    async def good(self, topic: str) -> str:
        """Publishes a good record that the topic's reader processes; returns its event ID."""
        if topic == PROVIDER_WEBHOOKS_UNROUTED:
            event_id = f"evt_{uuid.uuid4().hex}"
            record = payout(event_id, **{headers.EVENT_ID: event_id})
            named = [(name, text.encode()) for name, text in record.headers.items()]
            await publish(self.client, topic, 0, batch([(b"po_1", record.value, named)]))
            return event_id
        payment_id = payment()
        # a command will do for every source: one consumer reads all of them
        body = command_body(payment_id, "create")
        value = json.dumps(body).encode()
        await publish(self.client, PAYMENT_COMMANDS, 0, batch([(payment_id.encode(), value, [])]))
        return str(body["event_id"])

    async def is_processed(self, topic: str, event_id: str) -> bool:
        """Returns whether an input has its outcome."""
        statement = _IGNORED if topic == PROVIDER_WEBHOOKS_UNROUTED else _INBOX
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            return await (await connection.execute(statement, [event_id])).fetchone() is not None

    @property
    def url(self) -> str:
        """The database URL."""
        return self.service.infrastructure.database_url

    async def lag(self, topic: str) -> int:
        """Returns how many offsets of the partition its reader has not committed."""
        group = ROUTER_GROUP if topic == PROVIDER_WEBHOOKS_UNROUTED else APP_ID
        at = TopicPartition(topic, 0)
        async with AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False
        ) as consumer:
            consumer.assign([at])
            return int((await consumer.end_offsets([at]))[at]) - (await consumer.committed(at) or 0)

    async def end(self, topic: str) -> int:
        """Returns the partition's end offset."""
        at = TopicPartition(topic, 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            return int((await consumer.end_offsets([at]))[at])

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers."""
        return self.service.infrastructure.kafka_bootstrap

    async def assert_continues(self, topic: str, after: str) -> None:
        """Publishes a good record; it is processed, and every offset is committed."""
        event_id = await self.good(topic)
        await until(lambda: self.is_processed(topic, event_id), f"a record after {after}")

        async def is_done() -> bool:
            return await self.lag(topic) == 0

        await until(is_done, f"every offset of {topic} is committed after {after}")


@asynccontextmanager
async def attack(service: Stack) -> AsyncIterator[Attack]:
    """Yields an attack with an open client."""
    client = AIOKafkaClient(bootstrap_servers=service.infrastructure.kafka_bootstrap)
    await client.bootstrap()
    try:
        yield Attack(service, client)
    finally:
        await client.close()


@pytest.mark.parametrize("topic", [*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED])
async def test_poison_of_every_kind_becomes_dead_letters(service: Stack, topic: str) -> None:
    """The programs keep running, and the good record after all poison is processed."""
    async with attack(service) as attacking:
        for _, made in poison():
            await publish(attacking.client, topic, 0, made)
        await attacking.assert_continues(topic, "poison of every kind")
    for name in ("stream", "worker"):
        assert service.programs[name].is_running


@pytest.mark.parametrize("topic", [*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED])
async def test_transaction_markers_are_committed_past(service: Stack, topic: str) -> None:
    """Their offsets have no records. They are committed past, also at the end of a partition."""
    async with attack(service) as attacking:
        producer = AIOKafkaProducer(
            bootstrap_servers=attacking.bootstrap, transactional_id=f"attack-{topic}"
        )
        async with producer:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"committed", partition=0)
            await attacking.assert_continues(topic, "a transaction")
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"aborted", partition=0)
            await producer.abort_transaction()
        await attacking.assert_continues(topic, "an aborted transaction")


async def test_a_program_that_starts_on_poison_continues(service: Stack) -> None:
    """The changelog contains poison, and batches on the broker's disk are corrupt.

    Every offset of a corrupt batch becomes a dead letter; the first contains the whole batch.
    """
    corrupt = (PAYMENT_COMMANDS, PROVIDER_WEBHOOKS_UNROUTED)
    stream, worker = service.programs["stream"], service.programs["worker"]
    data = Path(stream.environment["PAYMENTS_DATA_DIR"])
    async with attack(service) as attacking:
        stream.kill()
        worker.kill()
        shutil.rmtree(data)  # forces the table to be read from its changelog
        for name, made in poison():
            if name not in KEYLESS:  # the brokers refuse those in a compacted topic
                await publish(attacking.client, CHANGELOG.name, 0, made)
        mark = uuid.uuid4().hex.encode()
        async with stored_as_sent(attacking.bootstrap, corrupt):
            for topic in corrupt:
                records: list[Made] = [(b"key", mark + b"%d" % number, []) for number in range(3)]
                await publish(attacking.client, topic, 0, batch(records))
                _corrupt(data.parent, topic, mark + b"1")
        stream.start()
        worker.start()
        stream.wait_until_ready()
        worker.wait_until_ready()
        for topic in corrupt:
            await attacking.assert_continues(topic, "a start on poison")
    found = [each async for each in read_dead_letters(attacking.bootstrap) if mark in each.value]
    assert sorted(each.topic for each in found) == sorted(corrupt)
    assert all("checksum" in each.added[headers.ERROR] for each in found)
    assert all(headers.ALTERED in each.added for each in found), "they are not sent again unchanged"


@asynccontextmanager
async def stored_as_sent(bootstrap: str, topics: Collection[str]) -> AsyncIterator[None]:
    """Meanwhile the brokers don't compress what is sent to these topics."""
    retention_s = KafkaSettings(kafka_bootstrap=bootstrap).log_retention_s
    settings = {t.name: t.settings(retention_s) for t in TOPICS if t.name in topics}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def configure(**options: str) -> None:
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, name, {**own, **options})
            for name, own in settings.items()
        ]
        await admin.alter_configs(resources)

    try:
        await configure(**{"compression.type": "uncompressed"})
        yield
        await configure()
    finally:
        await admin.close()


async def test_the_service_continues_after_deleted_records(service: Stack) -> None:
    """Records are deleted before they are read; the remaining ones are processed."""
    lost = (PAYMENT_COMMANDS, PROVIDER_WEBHOOKS_UNROUTED)
    programs = [service.programs[name] for name in ("stream", "worker")]
    async with attack(service) as attacking:
        for program in programs:
            program.kill()
        admin = AIOKafkaAdminClient(bootstrap_servers=attacking.bootstrap)
        await admin.start()
        try:
            for topic in lost:
                await attacking.good(topic)
                await attacking.good(topic)
                end = await attacking.end(topic)
                await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(end - 1)})
        finally:
            await admin.close()
        for program in programs:
            program.start()
        for topic in lost:
            await attacking.assert_continues(topic, "deleted records")


def _corrupt(root: Path, topic: str, content: bytes) -> None:
    """Changes a byte of a record in the broker's file."""
    (segment,) = (p for p in root.rglob(f"{topic}-0/*.log") if content in p.read_bytes())
    at = segment.read_bytes().rindex(content)
    with segment.open("r+b") as file:
        file.seek(at)
        file.write(b"!")


async def test_the_audit_finds_nothing_wrong(service: Stack) -> None:
    """Every record of the log has exactly one outcome, including poison."""
    done = await operator.run(service, "audit", "--settle", "0")
    deadline = time.monotonic() + WITHIN_S
    while done.code != 0 and time.monotonic() < deadline:
        done = await operator.run(service, "audit", "--settle", "0")
    assert done.code == 0, done.stdout + done.stderr
