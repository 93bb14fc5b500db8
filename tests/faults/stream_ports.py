"""The stream's ports, each with a failpoint at its boundaries, around the real ones."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from aiokafka import AIOKafkaProducer

from messaging.publisher import ProducerFactory
from ports.plan import Loaded, Plan, Published
from ports.records import Position, Received
from ports.stores import BatchStore, StatePublishing, Transaction
from processor.stream.batch import BatchProcessor, Done
from processor.stream.seen import SeenTable
from tests.faults.failpoints import Failpoint, Trap


class TrappedTransaction:
    """A ``Transaction``."""

    def __init__(self, inner: Transaction, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap
        self.has_versions = False

    async def load(self, batch: Sequence[Received]) -> Loaded:
        """See ``Transaction.load``."""
        loaded = await self._inner.load(batch)
        self._trap.strike(Failpoint.AFTER_LOAD)
        return loaded

    async def write(self, plan: Plan, now: datetime) -> list[Published]:
        """See ``Transaction.write``."""
        published = await self._inner.write(plan, now)
        self.has_versions = bool(published)
        return published


class TrappedBatches:
    """A ``BatchStore``."""

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
            self._trap.strike(Failpoint.BEFORE_COMMIT)
        if trapped.has_versions:
            self._trap.strike(Failpoint.AFTER_COMMIT)

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Published]:
        """See ``BatchStore.unpublished``."""
        return await self._inner.unpublished(publication_ids=publication_ids, partitions=partitions)

    async def hold_unpublishable(self, versions: Sequence[Published], now: datetime) -> None:
        """See ``BatchStore.hold_unpublishable``."""
        await self._inner.hold_unpublishable(versions, now)

    async def mark_published(self, publication_ids: Iterable[int], now: datetime) -> None:
        """See ``BatchStore.mark_published``."""
        await self._inner.mark_published(publication_ids, now)


class TrappedPublishing:
    """A ``StatePublishing``; ``several`` says that what is being published has several parts."""

    def __init__(self, trap: Trap) -> None:
        self._trap = trap
        self._inner: StatePublishing | None = None
        self.several = False

    def around(self, inner: StatePublishing) -> "TrappedPublishing":
        """This one, around the real one."""
        self._inner = inner
        return self

    async def assign(self, partitions: Iterable[int]) -> None:
        """See ``StatePublishing.assign``."""
        assert self._inner is not None
        await self._inner.assign(partitions)

    async def publish(self, records: Sequence[Published]) -> None:
        """See ``StatePublishing.publish``."""
        assert self._inner is not None
        self._trap.strike(Failpoint.BEFORE_PUBLISH)
        self.several = len({r.partition for r in records}) > 1
        await self._inner.publish(records)
        self._trap.strike(Failpoint.AFTER_PUBLISH)

    def producers(self, make: ProducerFactory) -> ProducerFactory:
        """The factory, of producers that have failpoints around their commits."""

        def make_trapped(partition: int) -> AIOKafkaProducer:
            producer = make(partition)
            really = producer.commit_transaction

            async def commit() -> None:
                self._trap.strike(Failpoint.IN_PUBLISH)
                await really()
                if self.several:
                    self._trap.strike(Failpoint.BETWEEN_PUBLISHES)

            producer.commit_transaction = commit
            return producer

        return make_trapped


class TrappedSeen(SeenTable):
    """The table of seen events."""

    trap: Trap

    def positions(self, batch: Sequence[Received]) -> list[Position | None]:
        """See ``SeenTable.positions``."""
        self.trap.strike(Failpoint.AFTER_DECODE)
        return super().positions(batch)

    async def remember(self, batch: Sequence[Received], known: Mapping[str, Position]) -> None:
        """See ``SeenTable.remember``."""
        self.trap.strike(Failpoint.BEFORE_REMEMBER)
        await super().remember(batch, known)

    async def forget_old(self, partitions: Iterable[int]) -> int:
        """See ``SeenTable.forget_old``."""
        forgotten = await super().forget_old(partitions)
        self.trap.strike(Failpoint.BEFORE_ACK)
        return forgotten


class TrappedProcessor(BatchProcessor):
    """The batch as a whole."""

    trap: Trap

    async def settle(self, batch: Done) -> None:
        """See ``BatchProcessor.settle``."""
        await super().settle(batch)
        self.trap.strike(Failpoint.AFTER_ACK)
