"""The stream's real parts, wrapped in failpoints."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from aiokafka import AIOKafkaProducer

from messaging.transactional_publisher import ProducerFactory
from ports.batch import Publishable, PublishableVersion, ReadSet, WriteSet
from ports.records import DecodedInput, RecordOffset
from ports.stores import BatchStore, Transaction, TransactionalPublisher
from processor.stream.batch import BatchProcessor, ProcessedBatch
from processor.stream.dedup_table import DedupTable
from tests.faults.failpoints import Failpoint, Trap


class TrappedTransaction:
    """A ``Transaction`` with failpoints."""

    def __init__(self, inner: Transaction, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap
        self.has_versions = False

    async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
        """See ``Transaction.load``."""
        loaded = await self._inner.load(batch)
        self._trap.reach(Failpoint.AFTER_LOAD)
        return loaded

    async def write(self, plan: WriteSet, now: datetime) -> list[Publishable]:
        """See ``Transaction.write``."""
        published = await self._inner.write(plan, now)
        self.has_versions = bool(published)
        return published


class TrappedBatches:
    """A ``BatchStore`` with failpoints."""

    def __init__(self, inner: BatchStore, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """See ``BatchStore.transaction``."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        async with self._inner.transaction() as transaction:
            trapped = TrappedTransaction(transaction, self._trap)
            yield trapped
            self._trap.reach(Failpoint.BEFORE_COMMIT)
        if trapped.has_versions:
            self._trap.reach(Failpoint.AFTER_COMMIT)

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Publishable]:
        """See ``BatchStore.unpublished``."""
        return await self._inner.unpublished(publication_ids=publication_ids, partitions=partitions)

    async def quarantine_unpublishable(
        self, versions: Sequence[PublishableVersion], now: datetime
    ) -> None:
        """See ``BatchStore.quarantine_unpublishable``."""
        await self._inner.quarantine_unpublishable(versions, now)

    async def mark_published(self, publication_ids: Iterable[int], now: datetime) -> None:
        """See ``BatchStore.mark_published``."""
        await self._inner.mark_published(publication_ids, now)


class TrappedPublishing:
    """A ``TransactionalPublisher`` with failpoints.

    ``has_several`` is true while records of more than one partition are published.
    """

    def __init__(self, trap: Trap) -> None:
        self._trap = trap
        self._inner: TransactionalPublisher | None = None
        self.has_several = False

    def around(self, inner: TransactionalPublisher) -> "TrappedPublishing":
        """Wraps the real publisher, and returns this one."""
        self._inner = inner
        return self

    async def assign(self, partitions: Iterable[int]) -> None:
        """See ``TransactionalPublisher.assign``."""
        assert self._inner is not None
        await self._inner.assign(partitions)

    async def publish(self, records: Sequence[Publishable]) -> None:
        """See ``TransactionalPublisher.publish``."""
        assert self._inner is not None
        self._trap.reach(Failpoint.BEFORE_PUBLISH)
        self.has_several = len({r.partition for r in records}) > 1
        await self._inner.publish(records)
        self._trap.reach(Failpoint.AFTER_PUBLISH)

    def producers(self, make: ProducerFactory) -> ProducerFactory:
        """The factory, whose producers have failpoints around their commits."""

        def make_trapped(partition: int) -> AIOKafkaProducer:
            producer = make(partition)
            really = producer.commit_transaction

            async def commit() -> None:
                self._trap.reach(Failpoint.IN_PUBLISH)
                await really()
                if self.has_several:
                    self._trap.reach(Failpoint.BETWEEN_PUBLISHES)

            producer.commit_transaction = commit
            return producer

        return make_trapped


class TrappedDedupTable(DedupTable):
    """The dedup table with failpoints."""

    trap: Trap

    def lookup(self, batch: Sequence[DecodedInput]) -> list[RecordOffset | None]:
        """See ``DedupTable.lookup``."""
        self.trap.reach(Failpoint.AFTER_DECODE)
        return super().lookup(batch)

    async def add(self, batch: Sequence[DecodedInput], known: Mapping[str, RecordOffset]) -> None:
        """See ``DedupTable.add``."""
        self.trap.reach(Failpoint.BEFORE_DEDUP_ADD)
        await super().add(batch, known)

    async def evict(self, partitions: Iterable[int]) -> int:
        """See ``DedupTable.evict``."""
        evicted = await super().evict(partitions)
        self.trap.reach(Failpoint.BEFORE_ACK)
        return evicted


class TrappedProcessor(BatchProcessor):
    """The batch processor with a failpoint after the acknowledgement."""

    trap: Trap

    async def publish_and_ack(self, batch: ProcessedBatch) -> None:
        """See ``BatchProcessor.publish_and_ack``."""
        await super().publish_and_ack(batch)
        self.trap.reach(Failpoint.AFTER_ACK)
