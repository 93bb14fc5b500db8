"""Our use of Faust's internals in a real app on a real Kafka: it fails when Faust changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.types import TP, StreamT

from processor.stream.app import ROCKSDB_OPTIONS
from processor.stream.faust_internals.batches import Event, batches
from processor.stream.faust_internals.consumer import StrictConsumer
from processor.stream.faust_internals.schema import RawSchema
from processor.stream.faust_internals.table import PartitionedTable
from tests.faults.process_supervisor import until

pytestmark = pytest.mark.anyio

PARTITIONS: Final = 2
RECORDS: Final = 1_500
BATCH: Final = 400


@dataclass
class Program:
    """A Faust app with a table of each key's last value; ``changes`` counts by partition."""

    app: faust.App
    faust_table: Any
    table: PartitionedTable
    taken: list[list[Event]] = field(default_factory=list)
    changes: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    @property
    def count(self) -> int:
        """Records processed so far."""
        return sum(map(len, self.taken))

    def is_persisted(self, partition: int) -> bool:
        """Whether the table has stored the end of its changelog as its offset."""
        place = TP(self.faust_table.changelog_topic_name, partition)
        return bool(self.faust_table.data.persisted_offset(place) == self.changes[partition] - 1)


def program(bootstrap: str, name: str, folder: Path) -> Program:
    """Makes an app as ``processor.stream.app`` does."""
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        store="rocksdb://",
        datadir=str(folder),
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.2,
    )
    app.transport.Consumer = StrictConsumer  # type: ignore[misc]  # looked up on the instance
    entries = app.Table(
        "last", key_type=bytes, value_type=bytes, partitions=PARTITIONS, options=ROCKSDB_OPTIONS
    )
    made = Program(app, entries, PartitionedTable(app, entries))

    @app.agent(app.topic(f"{name}-source", schema=RawSchema()), concurrency=1)
    async def last(events: StreamT[Any]) -> None:
        async for batch in batches(events, BATCH, 0.01):
            changes: dict[int, dict[bytes, bytes | None]] = {}
            for event in batch:
                message, key = event.message, event.message.key or b""
                changes.setdefault(message.partition, {})[key] = message.value or None
            for partition, changed in changes.items():
                await made.table.put(partition, changed)
                made.changes[partition] += len(changed)
            for event in batch:
                event.ack()
            made.taken.append(batch)

    return made


@asynccontextmanager
async def running(made: Program) -> AsyncIterator[Program]:
    """Starts the app, waits until its table is recovered, and stops it at the end."""
    async with made.app:
        await until(made.app.flow_control.is_active, "its table is recovered")
        yield made


@dataclass(frozen=True)
class Source:
    """A topic of numbered records with a hundred keys."""

    bootstrap: str
    name: str

    async def create(self) -> None:
        """Makes the topic."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(f"{self.name}-source", PARTITIONS, 1)])
        await admin.close()

    async def fill(self) -> None:
        """Sends the records, and then deletes one key."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for number in range(RECORDS):
                await producer.send(f"{self.name}-source", str(number).encode(), key=key(number))
            await producer.send(f"{self.name}-source", None, key=key(7))

    async def changes(self) -> dict[int, dict[bytes, bytes | None]]:
        """The last change of each key in the changelog, by partition."""
        found: dict[int, dict[bytes, bytes | None]] = {p: {} for p in range(PARTITIONS)}
        places = [TopicPartition(f"{self.name}-last-changelog", p) for p in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            consumer.assign(places)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[place.partition].update((r.key, r.value) for r in records)
        return found


def key(number: int) -> bytes:
    """The key of a record."""
    return f"key-{number % 100}".encode()


#: The last value of each key that was not deleted.
EXPECTED: Final = {key(n): str(RECORDS - 100 + n).encode() for n in range(100) if n != 7}


async def test_records_are_batched_in_order_stored_and_committed(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    """The table is written to the changelog, from which a second app recovers it."""
    source = Source(kafka_bootstrap, "faust-internals")
    await source.create()
    await source.fill()
    async with running(program(kafka_bootstrap, source.name, tmp_path / "first")) as first:
        await until(lambda: first.count == RECORDS + 1, "every record is done")
        for event in (event for batch in first.taken for event in batch):
            assert (event.key, event.value) == (event.message.key, event.message.value)
        for partition in range(PARTITIONS):
            offsets = [
                e.message.offset for b in first.taken for e in b if e.message.partition == partition
            ]
            assert offsets == list(range(len(offsets)))
        assert max(map(len, first.taken)) == BATCH, (
            "a batch has all waiting records, up to its size"
        )
        stored = {p: first.table.get(p, list(EXPECTED)) for p in range(PARTITIONS)}
        assert stored[0] | stored[1] == EXPECTED
        assert {p: dict(first.table.walk(p, b"", 500)) for p in stored} == stored
        await until(
            lambda: first.is_persisted(0) and first.is_persisted(1),
            "the changelog's offset is stored",
        )
    changes = await source.changes()
    assert {k: v for found in changes.values() for k, v in found.items()} == {
        **EXPECTED, key(7): None,
    }  # fmt: skip
    async with running(program(kafka_bootstrap, source.name, tmp_path / "second")) as second:
        recovered = {p: second.table.get(p, list(EXPECTED)) for p in range(PARTITIONS)}
        assert recovered == stored
        assert second.count == 0, "acknowledged records are committed, and not read again"
