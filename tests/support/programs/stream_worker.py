"""A stream worker on a real Postgres and a real Kafka. Only Faust is a fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from prometheus_client import CollectorRegistry

from messaging.log_reader import records
from messaging.sender import Sender
from messaging.transactional_publisher import StatePublisher, fenced_producer
from ports.records import ConsumedRecord, RecordOffset
from postgres.stores import Pool, PostgresBatches
from processor.stream.batch import BatchProcessor, ProcessedBatch
from processor.stream.dedup_table import DedupTable
from processor.stream.metrics import StreamMetrics
from schemas.headers import as_text
from schemas.topics import DEAD_LETTERS, PAYMENT_STATE
from tests.support import database
from tests.support.builders import DECODER, Clock
from tests.support.fake_faust import Table, event
from tests.support.fencing import expect_fencing

DEADLINE_S = 20.0


class Worker:
    """One worker; ``acked`` has the acknowledged positions, in order."""

    def __init__(self, pool: Pool, bootstrap: str, group: str, table: Table) -> None:
        self.clock = clock = Clock()
        self.registry = CollectorRegistry()
        self.acked: list[RecordOffset] = []
        self.store = PostgresBatches(pool, DECODER.decode)
        self.dedup = DedupTable(table, 64, timedelta(days=7), clock)
        self.publisher = StatePublisher(fenced_producer(bootstrap, group), DEADLINE_S)
        self.sender = Sender(bootstrap, f"{group}-dead-letters", DEADLINE_S)
        self.processor = BatchProcessor(
            DECODER,
            self.store,
            self.dedup,
            self.publisher,
            self.sender,
            StreamMetrics(self.registry),
            clock,
        )

    async def process(self, *records: ConsumedRecord) -> None:
        """Processes one batch."""
        await self.processor.process([event(record, self.acked) for record in records])

    async def committed(self, *records: ConsumedRecord) -> ProcessedBatch:
        """Processes one batch up to its commit. Returns the committed batch."""
        batch = self.processor.decode([event(record, self.acked) for record in records])
        return await self.processor.commit(batch)

    async def close(self) -> None:
        """Stops its producers."""
        await self.publisher.close()
        await self.sender.close()

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.registry.get_sample_value(name, labels) or 0.0


class Group:
    """Workers of one group on one store, successive or concurrent."""

    def __init__(self, pool: Pool, bootstrap: str, name: str) -> None:
        self.pool, self.bootstrap, self.name = pool, bootstrap, name

    @asynccontextmanager
    async def worker(
        self, *partitions: int, table: Table | None = None, republish: bool = True
    ) -> AsyncIterator[Worker]:
        """A worker with these partitions. By default, it republishes as on assignment."""
        expect_fencing()
        worker = Worker(self.pool, self.bootstrap, self.name, table or Table())
        try:
            if republish:
                await worker.processor.on_assigned(partitions)
            else:
                await worker.publisher.assign(partitions)
            yield worker
        finally:
            await worker.close()

    async def announced(self, payment_id: str) -> list[tuple[int, bool]]:
        """Version and quarantine flag of every published record of a payment, in order."""
        found: list[tuple[int, bool]] = []

        async for record in records(self.bootstrap, PAYMENT_STATE):
            if record.key == payment_id.encode():
                headers = as_text(record.headers)
                version = int(headers["ce_id"].rpartition(":")[2])
                found.append((version, headers.get("ce_quarantined") == "true"))
        return found

    async def published(self, payment_id: str) -> list[tuple[int, bytes]]:
        """Version and value of every published record of a payment, in order."""
        found: list[tuple[int, bytes]] = []

        async for record in records(self.bootstrap, PAYMENT_STATE):
            if record.key == payment_id.encode():
                version = int(as_text(record.headers)["ce_id"].rpartition(":")[2])
                found.append((version, record.value or b""))
        return found

    async def dead_letters(self, value: bytes) -> list[dict[str, str]]:
        """Headers of every dead letter with this value."""
        return [
            as_text(record.headers)
            async for record in records(self.bootstrap, DEAD_LETTERS)
            if record.value == value
        ]

    async def outcomes(self, *records: ConsumedRecord) -> list[str | None]:
        """The outcome of each record; None without a row in the inbox."""
        found = await database.rows(
            self.pool, 'select topic, partition, "offset", outcome from inbox'
        )
        by_position = {
            (topic, partition, offset): outcome for topic, partition, offset, outcome in found
        }
        return [
            by_position.get((r.position.topic, r.position.partition, r.position.offset))
            for r in records
        ]
