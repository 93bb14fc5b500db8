"""Bugs of the stream: the batch, its table, its store and where it publishes."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from ports.batch import CommittedBatch, PublishableVersion, ReadSet
from ports.records import DeadLetter, DecodedInput, RecordOffset
from processor.stream.batch import BatchProcessor, DecodedBatch, Event, ProcessedBatch
from processor.stream.dedup_table import DedupTable
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.postgres.store import MemoryBatches
from tests.simulation.postgres.transaction import MemoryTransaction


class AcknowledgesFirst(BatchProcessor):
    """Before anything is committed."""

    async def commit(self, batch: DecodedBatch) -> ProcessedBatch:
        """The batch."""
        for event in batch.events:
            event.ack()
        return await super().commit(batch)


class AcknowledgesBeforePublishing(BatchProcessor):
    """What is committed is taken for published: acknowledged, and marked as such."""

    _at_hand: Sequence[Event] = ()

    async def publish_and_ack(self, batch: ProcessedBatch) -> None:
        """The batch."""
        self._at_hand = batch.events
        await super().publish_and_ack(batch)

    async def _send(self, published: Sequence[PublishableVersion], ids: Iterable[int]) -> None:
        marked = set(ids)
        if published:
            for event in self._at_hand:
                event.ack()
            await self._retrying(lambda: self._store.mark_published(marked, self._clock()))
            await self._publisher.publish(published)


class NeverPublishesAgain(BatchProcessor):
    """Not after a take-over, not after a crash."""

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        """Fences the former owner, and that is all."""
        await self._publisher.assign(partitions)

    async def _publish(self, committed: CommittedBatch, republications: int) -> None:
        committed.redelivered.clear()
        await super()._publish(committed, republications)


class PublishesFromMemory(BatchProcessor):
    """Beside a batch under way, and what the batch holds even after a take-over."""

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        """Fences, and publishes what was left, whatever else goes on."""
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


class RemembersFirst(BatchProcessor):
    """The dedup table is written before the commit."""

    async def _commit_all(
        self,
        fresh: Sequence[DecodedInput],
        duplicates: Sequence[DecodedInput],
        dead: Sequence[DeadLetter],
    ) -> CommittedBatch:
        await self._dedup.add(fresh, {})
        return await super()._commit_all(fresh, duplicates, dead)


class RemembersTheRecordAtHand(DedupTable):
    """Of an event that Postgres knew, the table learns another place than Postgres'."""

    async def add(self, batch: Sequence[DecodedInput], known: Mapping[str, RecordOffset]) -> None:
        """Notes a batch."""
        del known
        await super().add(batch, {})


class DropsTheParked(MemoryBatches):
    """What came before its payment is not found again."""

    class make_transaction(MemoryTransaction):  # noqa: N801  # stands where an attribute stands
        """One transaction."""

        async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
            """What is known, without what waits."""
            return replace(await super().load(batch), parked={})


class TakesNoLocks(MemoryBatches):
    """Two workers may change one payment at once."""

    class make_transaction(MemoryTransaction):  # noqa: N801  # as above
        """One transaction."""

        async def _lock(self, table: str, key: object) -> None:
            del table, key


class PublishesOnlyTheUnpublished(MemoryBatches):
    """Not every version from the first unpublished one on."""

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[PublishableVersion]:
        """What was left."""
        found = await super().unpublished(publication_ids=publication_ids, partitions=partitions)
        return [p for p in found if p.publication_id in self._database.unpublished]


class FencesNobody(StateTopic):
    """A partition's former owner publishes on."""

    def is_fenced(self, partition: int, epoch: int) -> bool:
        """Whether it may no longer publish."""
        del partition, epoch
        return False
