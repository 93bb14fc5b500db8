"""Bugs of the stream: the batch, the dedup table, the store and the publication."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from ports.batch import CommittedBatch, Publishable, PublishableVersion, ReadSet
from ports.records import DeadLetter, DecodedInput, RecordOffset
from processor.stream.batch import BatchProcessor, DecodedBatch, ProcessedBatch
from processor.stream.dedup_table import DedupTable
from processor.stream.events import Event
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.postgres.store import MemoryBatches
from tests.simulation.postgres.transaction import MemoryTransaction


class AcknowledgesFirst(BatchProcessor):
    """Acknowledges before the commit."""

    async def commit(self, batch: DecodedBatch) -> ProcessedBatch:
        """See ``BatchProcessor.commit``."""
        for event in batch.events:
            event.ack()
        return await super().commit(batch)


class AcknowledgesBeforePublishing(BatchProcessor):
    """Acknowledges committed records, and marks them as published, before publishing."""

    _current: Sequence[Event] = ()

    async def publish_and_ack(self, batch: ProcessedBatch) -> None:
        """See ``BatchProcessor.publish_and_ack``."""
        self._current = batch.events
        await super().publish_and_ack(batch)

    async def _send(self, published: Sequence[Publishable], ids: Iterable[int]) -> None:
        marked = set(ids)
        if published:
            for event in self._current:
                event.ack()
            await self._retrying(lambda: self._store.mark_published(marked, self._clock()))
            await self._publisher.publish(published)


class NeverPublishesAgain(BatchProcessor):
    """Publishes nothing a second time, neither after a take-over nor after a crash."""

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        """Only fences the former owner."""
        await self._publisher.assign(partitions)

    async def _publish(self, committed: CommittedBatch, republications: int) -> None:
        committed.redelivered.clear()
        await super()._publish(committed, republications)


class PublishesFromMemory(BatchProcessor):
    """Publishes from memory during a take-over, concurrently with a batch."""

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        """Fences the former owner and publishes, without waiting for a running batch."""
        await self._publisher.assign(partitions)
        left = await self._retrying(lambda: self._store.unpublished(partitions=partitions))
        await self._send(left, {p.publication_id for p in left})

    async def _publish(self, committed: CommittedBatch, republications: int) -> None:
        del republications
        published, redelivered = committed.published, committed.redelivered
        ids = redelivered | {p.publication_id for p in published}
        if redelivered:
            left = await self._retrying(
                lambda: self._store.unpublished(publication_ids=redelivered)
            )
            known = {(p.payment_id, p.version) for p in left}
            published = left + [p for p in published if (p.payment_id, p.version) not in known]
        await self._send(published, ids)


class AddsBeforeCommit(BatchProcessor):
    """The dedup table is written before the commit."""

    async def _commit_all(
        self,
        fresh: Sequence[DecodedInput],
        duplicates: Sequence[DecodedInput],
        dead: Sequence[DeadLetter],
    ) -> CommittedBatch:
        await self._dedup.add(fresh, {})
        return await super()._commit_all(fresh, duplicates, dead)


class AddsTheCurrentPosition(DedupTable):
    """Adds the current position to the table, although Postgres has an earlier one."""

    async def add(self, batch: Sequence[DecodedInput], known: Mapping[str, RecordOffset]) -> None:
        """Adds a batch."""
        del known
        await super().add(batch, {})


class LosesParkedInputs(MemoryBatches):
    """Parked inputs are not loaded again."""

    class make_transaction(MemoryTransaction):  # noqa: N801  # replaces an attribute
        """One transaction."""

        async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
            """The read set without parked inputs."""
            return replace(await super().load(batch), parked={})


class LocksNothing(MemoryBatches):
    """Two workers may change a payment at the same time."""

    class make_transaction(MemoryTransaction):  # noqa: N801  # as above
        """One transaction."""

        async def _lock(self, table: str, key: object) -> None:
            del table, key


class PublishesOnlyTheUnpublished(MemoryBatches):
    """Publishes only unpublished versions, not all from the first unpublished one on."""

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Publishable]:
        """The unpublished versions only."""
        found = await super().unpublished(publication_ids=publication_ids, partitions=partitions)
        return [p for p in found if p.publication_id in self._database.unpublished]


class ForgetsAnswers(MemoryBatches):
    """After a crash only versions are published, not what became of operations."""

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Publishable]:
        """The versions only."""
        found = await super().unpublished(publication_ids=publication_ids, partitions=partitions)
        return [p for p in found if isinstance(p, PublishableVersion)]


class FencesNothing(StateTopic):
    """A partition's former owner goes on publishing."""

    def is_fenced(self, partition: int, epoch: int) -> bool:
        """Whether the owner with this epoch may no longer publish."""
        del partition, epoch
        return False
