"""One batch, in the order of its effects. A crash anywhere repeats work and changes nothing.

1. Decode. Undecodable records go to ``dead-letters``; their delivery is awaited.
2. Drop the events that the dedup table knows.
3. One Postgres transaction decides what is new: load, fold, write, commit.
4. Publish every new version, and what an earlier crash left unpublished. Await the brokers.
5. Add the events to the dedup table.
6. Acknowledge, in order.

Steps 4 to 6 of a batch may run while the next one is committed (``pipeline``). Then the dedup table
may lack events of the batch before; Postgres has them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Final, TypeVar

from structlog.contextvars import bound_contextvars
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from decisions.dead_letters import as_outgoing, note
from decisions.decode import Decoder
from decisions.decode_failure import unforeseen
from decisions.fold import fold
from ports.batch import CommittedBatch, Publishable, PublishableVersion
from ports.errors import KeyTakenError, StoreUnavailableError
from ports.failures import (
    ADAPTER_TIMEOUT_S,
    RETRYABLE_IN_BATCH,
    describe_error,
    must_propagate,
)
from ports.records import DeadLetter, DecodedInput, failed
from ports.stores import BatchStore, RecordSender, TransactionalPublisher
from processor.stream.dedup_table import DedupTable
from processor.stream.events import Event, as_record, minimal_record
from processor.stream.metrics import StreamMetrics
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, best_effort, with_timeout
from schemas.topics import SNAPSHOT_BYTES_MAX

log = get_logger(__name__)

#: A batch is retried for this long, in seconds. Then the worker restarts, without acknowledging.
RETRY_FOR_S: Final = 300.0
#: After this many collisions of a unique key it is no race: the payment is quarantined.
COLLISIONS_MAX: Final = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch after step 1."""

    events: Sequence[Event]
    received: Sequence[DecodedInput]
    dead: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True)
class ProcessedBatch:
    """A batch after step 3, with what is left to do."""

    events: Sequence[Event]
    #: Inputs that the dedup table did not know.
    fresh: Sequence[DecodedInput]
    committed: CommittedBatch
    #: The processor's count of republications when its commit began.
    republications: int


class BatchProcessor:
    """Processes the batches of one worker, one at a time in each stage."""

    def __init__(
        self,
        decoder: Decoder,
        store: BatchStore,
        dedup: DedupTable,
        publisher: TransactionalPublisher,
        sender: RecordSender,
        metrics: StreamMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._decoder = decoder
        self._store = store
        self._dedup = dedup
        self._publisher = publisher
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        #: One task at a time publishes: a batch may be under way while partitions are assigned.
        self._publishing = asyncio.Lock()
        #: How often versions were read from Postgres and published, perhaps of batches under way.
        self._republications = 0

    async def process(self, events: Sequence[Event]) -> None:
        """Processes a whole batch. If it raises, no event was acknowledged."""
        await self.publish_and_ack(await self.commit(self.decode(events)))

    def decode(self, events: Sequence[Event]) -> DecodedBatch:
        """Decodes a batch. Independent of other batches."""
        with best_effort("metrics"):
            self._metrics.batch_records.observe(len(events))
        with self._step("decode"):
            items = [self._decode_event(event) for event in events]
        return DecodedBatch(
            events,
            [item for item in items if isinstance(item, DecodedInput)],
            [item for item in items if isinstance(item, DeadLetter)],
        )

    async def commit(self, batch: DecodedBatch) -> ProcessedBatch:
        """Sends the dead letters, drops duplicates and commits; one batch after the other."""
        republications = self._republications
        if batch.dead:
            await with_timeout(ADAPTER_TIMEOUT_S, self._sender.send(as_outgoing(batch.dead)))
            with best_effort("log"):
                note(batch.dead)
        with self._step("dedup"):
            fresh, duplicates = self._split_duplicates(batch.received)
        with self._step("commit"):
            committed = await self._commit_all(fresh, duplicates, batch.dead)
        return ProcessedBatch(batch.events, fresh, committed, republications)

    async def publish_and_ack(self, batch: ProcessedBatch) -> None:
        """Does steps 4 to 6; one batch after the other, perhaps while the next is committed."""
        with self._step("publish"):
            await self._publish(batch.committed, batch.republications)
        with self._step("dedup_add"):
            await self._add_to_dedup(batch)
        for event in batch.events:
            event.ack()

    def _decode_event(self, event: Event) -> DecodedInput | DeadLetter:
        """Decodes an event; if even making its record fails, keeps what can be read of it."""
        try:
            return self._decoder.decode(as_record(event))
        except ANY_ERROR as error:
            at = event.message
            with bound_contextvars(topic=at.topic, partition=at.partition, offset=at.offset):
                log.exception("record.not_decoded")
            return unforeseen(minimal_record(event), describe_error(error))

    async def _add_to_dedup(self, batch: ProcessedBatch) -> None:
        """Adds the batch to the dedup table and evicts old entries; only logs unforeseen errors."""
        used = [r for r in batch.fresh if r.event_id not in batch.committed.open]
        try:
            await with_timeout(ADAPTER_TIMEOUT_S, self._dedup.add(used, batch.committed.known))
            partitions = {event.message.partition for event in batch.events}
            evicted = await with_timeout(ADAPTER_TIMEOUT_S, self._dedup.evict(partitions))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("table.not_written", note="Postgres detects duplicates")
            return
        with best_effort("metrics"):
            self._metrics.evicted.inc(evicted)

    async def on_assigned(self, partitions: Sequence[int]) -> None:
        """Fences these partitions and publishes what their former owners left unpublished.

        A batch under way publishes before that, as the former owner, or after it: then it reads
        from Postgres what is left to publish.
        """
        async with self._publishing:
            await with_timeout(ADAPTER_TIMEOUT_S, self._publisher.assign(partitions))
            left = await self._retrying(lambda: self._store.unpublished(partitions=partitions))
            await self._send(left, {p.publication_id for p in left})
            self._republications += 1
        with best_effort("metrics"):
            self._metrics.republished.inc(sum(isinstance(p, PublishableVersion) for p in left))

    def _split_duplicates(
        self, batch: Sequence[DecodedInput]
    ) -> tuple[list[DecodedInput], list[DecodedInput]]:
        """Returns the inputs that are new to the dedup table, and the duplicates.

        An event ID that is known from the same position is a redelivery: it is in neither.
        """
        fresh, duplicates = [], []
        try:
            positions = self._dedup.lookup(batch)
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("table.not_read", note="Postgres detects duplicates")
            positions = [None] * len(batch)
        for received, known in zip(batch, positions, strict=True):
            if known is None:
                fresh.append(received)
            elif known != received.record.position:
                duplicates.append(received)
        return fresh, duplicates

    async def _commit_all(
        self,
        fresh: Sequence[DecodedInput],
        duplicates: Sequence[DecodedInput],
        dead: Sequence[DeadLetter],
    ) -> CommittedBatch:
        """Commits the batch; after an unforeseen error, each payment on its own."""
        if not (fresh or duplicates or dead):
            return CommittedBatch()
        try:
            return await self._retrying(lambda: self._commit(fresh, duplicates, dead, {}))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("batch.not_committed", note="each payment is tried on its own")
        committed = await self._retrying(lambda: self._commit([], duplicates, dead, {}))
        by_payment: dict[str, list[DecodedInput]] = {}
        for item in fresh:
            by_payment.setdefault(item.payment_id, []).append(item)
        for payment_id, items in by_payment.items():
            with bound_contextvars(payment_id=payment_id):
                committed.add(await self._commit_or_quarantine(payment_id, items))
        return committed

    async def _commit_or_quarantine(
        self, payment_id: str, items: Sequence[DecodedInput]
    ) -> CommittedBatch:
        """Commits a payment's records; where our own code fails on them, they are quarantined."""
        try:
            return await self._retrying(lambda: self._commit(items, [], [], {}))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("payment.commit_failed")
            why = {payment_id: describe_error(error)}
        try:
            return await self._retrying(lambda: self._commit(items, [], [], why))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("payment.quarantine_failed")
        # committed without their content, which our code can't process
        unread = [failed(received, why[payment_id]) for received in items]
        return await self._retrying(lambda: self._commit(unread, [], [], why))

    async def _commit(
        self,
        fresh: Sequence[DecodedInput],
        duplicates: Sequence[DecodedInput],
        dead: Sequence[DeadLetter],
        poisoned: Mapping[str, str],
    ) -> CommittedBatch:
        async with self._store.transaction() as transaction:
            loaded = await transaction.load(fresh)
            plan = fold(loaded, fresh, poisoned)
            plan.duplicates.extend(duplicates)
            plan.dead_letters.extend(dead)
            published = await transaction.write(plan, self._clock())
        for event, found in (
            ("payment.quarantined", plan.quarantines),
            ("release.failed", plan.renewed),
        ):
            for payment_id, (event_id, error) in found.items():
                log.error(event, payment_id=payment_id, event_id=event_id, error=error)
        with best_effort("metrics"):
            self._metrics.count(plan)
        known = {event_id: known.position for event_id, known in loaded.known.items()}
        return CommittedBatch(published, plan.redelivered, known | plan.resolved, plan.open)

    async def _publish(self, committed: CommittedBatch, republications: int) -> None:
        """Publishes a batch's versions, and those of redelivered events.

        The latter are read from Postgres, up to the newest version. If that happened since this
        batch began, this batch reads too: newer versions than its own may be published already.
        """
        async with self._publishing:
            published = committed.published
            ids = committed.redelivered | {p.publication_id for p in published}
            is_stale = bool(committed.redelivered) or republications != self._republications
            if is_stale:
                published = await self._retrying(
                    lambda: self._store.unpublished(publication_ids=ids)
                )
                again = len(published) - len(committed.published)
                with best_effort("metrics"):
                    self._metrics.republished.inc(max(0, again))
            await self._send(published, ids)
            self._republications += is_stale

    async def _send(self, published: Sequence[Publishable], ids: Iterable[int]) -> None:
        """Publishes these versions, then marks their publications as published.

        If our own code can't publish a payment, its publications stay unpublished, and the next
        owner of the partition tries again. If a version is too large for a record, which an
        earlier release allowed, its payment is quarantined. Other payments are published anyway.
        """
        out = set(ids)
        too_large = [
            each
            for each in published
            if isinstance(each, PublishableVersion) and len(each.snapshot) > SNAPSHOT_BYTES_MAX
        ]
        if too_large:
            for each in too_large:
                log.error("version.too_large", payment_id=each.payment_id, version=each.version)
            published = [each for each in published if each not in too_large]
            out -= {each.publication_id for each in too_large}
            await self._retrying(
                lambda: self._store.quarantine_unpublishable(too_large, self._clock())
            )
        if not published:
            return
        try:
            await with_timeout(ADAPTER_TIMEOUT_S, self._publisher.publish(published))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("batch.not_published", note="each payment is tried on its own")
            out -= await self._publish_apart(published)
        await self._retrying(lambda: self._store.mark_published(out, self._clock()))

    async def _publish_apart(self, published: Sequence[Publishable]) -> set[int]:
        """Publishes payment by payment. Returns the publications that are not complete."""
        left: set[int] = set()
        by_payment: dict[str, list[Publishable]] = {}
        for each in published:
            by_payment.setdefault(each.payment_id, []).append(each)
        for payment_id, records in by_payment.items():
            with bound_contextvars(payment_id=payment_id):
                if not await self._publish_alone(records):
                    left |= {record.publication_id for record in records}
        return left

    async def _publish_alone(self, records: Sequence[Publishable]) -> bool:
        """Publishes what is of one payment. Returns False if our own code fails on it."""
        try:
            await with_timeout(ADAPTER_TIMEOUT_S, self._publisher.publish(records))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("payment.not_published")
            return False
        return True

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Tries until it succeeds, with jitter, for ``RETRY_FOR_S`` at most."""
        async for trial in AsyncRetrying(
            retry=retry_if_exception_type(RETRYABLE_IN_BATCH) | _few_collisions(),
            wait=wait_random_exponential(multiplier=0.05, max=5.0),
            stop=stop_after_delay(RETRY_FOR_S),
            before_sleep=self._note_retry,
            reraise=True,
        ):
            with trial:
                try:
                    return await with_timeout(ADAPTER_TIMEOUT_S, attempt())
                except OSError as error:  # a timeout, or a network error outside of the store
                    raise StoreUnavailableError(f"the store: {error!r}") from error
        raise AssertionError("unreachable: the last trial returns or raises")

    def _note_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        with best_effort("metrics"):
            self._metrics.retries.labels(type(error).__name__).inc()
        log.warning("batch.retried", attempt=state.attempt_number, error=str(error))

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        start = perf_counter()
        yield
        with best_effort("metrics"):
            self._metrics.batch_seconds.labels(name).observe(perf_counter() - start)


class _few_collisions(retry_if_exception_type):  # noqa: N801  # named as tenacity names its own
    """A unique key that another worker's transaction took first: a few more tries."""

    def __init__(self) -> None:
        super().__init__(KeyTakenError)

    def __call__(self, retry_state: RetryCallState) -> bool:
        return super().__call__(retry_state) and retry_state.attempt_number < COLLISIONS_MAX
