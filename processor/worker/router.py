"""Finds the payment of webhooks that carry no payment ID, by the provider's object.

These are disputes and refunds made at the provider, for example. An event that echoes one of our
calls belongs to that call's payment; an earlier release wrote such events here too. What named
another payment than its object's comes here from the stream. An account has payments of others
too, and their webhooks come here. A webhook that can have no effect on a payment of ours is
recorded as ignored at once. If it could have one and the object is not known yet, it waits in
Postgres and is routed once the payment is known; after ``unrouted_max_age_s`` it ends as ignored.
That holds whether or not we can read what it says about the object: others have forms and amounts
that ours never have. If the object is ours, the stream decides what can't be read. What is no event
at all, or names no object, becomes a dead letter. The router commits offsets after these effects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from aiokafka import AIOKafkaConsumer
from structlog.contextvars import bound_contextvars

from decisions.dead_letters import as_outgoing, note
from decisions.fact_texts import with_storable_texts
from domain.inputs import Foreign, Unmodelled
from messaging.kafka_internals.consumer import GapReportingConsumer
from messaging.kafka_internals.records import OffsetGap
from messaging.lifetime import close_consumer, start_client
from ports.errors import UndecodableRecordError
from ports.failures import ADAPTER_TIMEOUT_S, must_propagate, name_defect
from ports.notices import NoticeTranslator
from ports.producer_record import ProducerRecord
from ports.provider import (
    MalformedObjectError,
    MalformedWebhookError,
    Translated,
    Translator,
)
from ports.records import ConsumedRecord, DeadLetter, id_at, named_cause
from ports.stores import RecordSender, RoutingStore
from ports.texts import storable
from ports.work_items import IgnoredWebhook, KeptNotice, UnroutedWebhook
from processor.worker.metrics import WorkerMetrics
from processor.worker.unrouted_records import as_dead_letter, as_notice, as_record, as_unrouted
from processor.worker.webhook_records import routed
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, best_effort, with_timeout
from schemas import headers
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED, ROUTER_GROUP, fetching

log = get_logger(__name__)

BATCH_RECORDS: Final = 500
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 5.0
#: A webhook and its payment's object may be stored at the same moment, neither transaction seeing
#: the other. No transaction lasts as long as this.
SAME_MOMENT: Final = timedelta(minutes=2)
#: How often such webhooks are looked for.
MISSED_EVERY: Final = timedelta(seconds=5)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
#: The kind of a webhook that could not be read when it ended.
UNREAD: Final = "unread"
NOT_OURS: Final = "the provider's object is not ours: it does not have the payment ID of any"
NEVER_OURS: Final = "no payment of ours had the provider's object in time"


def create_consumer(bootstrap: str) -> GapReportingConsumer:
    """Creates the consumer of the unrouted webhooks, not started and without auto-commit."""
    return GapReportingConsumer(
        PROVIDER_WEBHOOKS_UNROUTED,
        bootstrap_servers=bootstrap,
        group_id=ROUTER_GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **fetching(PROVIDER_WEBHOOKS_UNROUTED),
    )


@dataclass(frozen=True, slots=True)
class NoEvent:
    """A webhook that is no event as we know them, with the reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A webhook whose payment is known: it has the object, or its call caused the event."""

    payment_id: str
    #: The kind of an event that echoes the payment's call.
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A webhook that may be about a payment of ours, which is not known by its object yet.

    About a payment object itself only where it named another payment. An object of ours has our
    payment ID from its creation on, and what our calls cause names them; both go to the payment
    without coming here. Should somebody have removed the ID since, the sweep over unfinished
    payments looks at the object.
    """

    kind: str
    #: Why it would change nothing as we read it today, if so.
    why: str | None = None
    #: It is about a payment object itself.
    is_payment: bool = False

    def ended(self, webhook: UnroutedWebhook, reason: str) -> IgnoredWebhook:
        """Returns it as one that ended for this reason."""
        return IgnoredWebhook(webhook, self.kind, f"{self.why}; {reason}" if self.why else reason)


class Router:
    """The loop over unrouted webhooks, new ones and waiting ones.

    Args:
        store: finds payments by the provider's object, and stores waiting webhooks.
        sender: publishes routed webhooks and dead letters.
        source: creates the consumer.
        translators: the adapters' translators, by provider.
        settings: how long a webhook may wait.
        metrics: the worker's metrics.
        clock: the current time in UTC.
        heartbeat: beaten after each round, and after each record that is handled on its own.
        notices: what reads notices, by provider.
    """

    def __init__(
        self,
        store: RoutingStore,
        sender: RecordSender,
        source: Callable[[], AIOKafkaConsumer],
        translators: Mapping[str, Translator],
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        heartbeat: Heartbeat | None = None,
        notices: Mapping[str, NoticeTranslator] = MappingProxyType({}),
    ) -> None:
        self._store = store
        self._sender = sender
        self._source = source
        self._translators = translators
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._heartbeat = heartbeat or unmonitored_heartbeat()
        self._notices = notices
        #: When webhooks were last looked for that are routable and not marked. None: never.
        self._looked_at: datetime | None = None

    async def run(self) -> None:
        """Runs until cancelled. Raises a retryable error; the records are then read again."""
        source = self._source()
        try:
            await start_client(source, START_TIMEOUT_S)
            while True:
                found = await source.getmany(timeout_ms=200, max_records=BATCH_RECORDS)
                read = [record for part in found.values() for record in part]
                if records := [as_record(each) for each in read if type(each) is not OffsetGap]:
                    await self.route(records)
                if read:  # also if it contains only offset gaps
                    await source.commit()
                await self.route_waiting()
                self._heartbeat.beat()
        finally:
            if not await close_consumer(source, STOP_TIMEOUT_S):
                log.warning("router.close_timed_out", timeout_s=STOP_TIMEOUT_S)

    async def route(self, records: Sequence[ConsumedRecord]) -> None:
        """Routes these records. If our own code fails on them, each is routed on its own.

        A record on which it fails alone becomes a dead letter.
        """
        with bound_contextvars(**(_log_fields(records[0]) if len(records) == 1 else {})):
            try:
                await self._route(records)
            except ANY_ERROR as error:
                if must_propagate(error):
                    raise
                log.exception("webhooks.routing_failed", records=len(records))
                if len(records) == 1:
                    await self._send([], [DeadLetter(records[0], name_defect(error))])
                    return
            else:
                return
        for record in records:
            self._heartbeat.beat()
            await self.route([record])

    async def _route(self, records: Sequence[ConsumedRecord]) -> None:
        """Sends each record to its payment, stores it, ignores it or makes it a dead letter."""
        dead: list[DeadLetter] = []
        unrouted: list[tuple[ConsumedRecord, UnroutedWebhook]] = []
        for record in records:
            try:
                unrouted.append((record, as_unrouted(record)))
            except UndecodableRecordError as error:
                dead.append(DeadLetter(record, str(error)))
        unrouted = await self._without_notices(unrouted, dead)
        objects = [(webhook.provider, webhook.object_id) for _, webhook in unrouted]
        owners = await with_timeout(ADAPTER_TIMEOUT_S, self._store.owners(objects))
        known, ignored, waiting = [], [], []
        for record, webhook in unrouted:
            owner = owners.get((webhook.provider, webhook.object_id))
            match Owned(owner) if owner is not None else self._read(webhook):
                case Owned(payment_id):
                    known.append(routed(payment_id, webhook.value, webhook.headers))
                case IgnoredWebhook() as without_effect:
                    ignored.append(without_effect)
                case NoEvent(why):
                    dead.append(DeadLetter(record, why))
                case Awaited(is_payment=True) as not_ours:
                    ignored.append(not_ours.ended(webhook, NOT_OURS))
                case Awaited(why=None) if webhook.object_id:
                    waiting.append(webhook)
                case _ if webhook.object_id:
                    # another rendering of the event may be read: this one leaves it the ID
                    free = id_at(webhook.event_id, record.position)
                    waiting.append(replace(webhook, event_id=free))
                case _:
                    dead.append(
                        DeadLetter(record, f"header {headers.OBJECT_ID} is missing or empty")
                    )
        await self._ignore(ignored)
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.park(waiting, self._clock()))
        await self._send(known, dead)

    async def _without_notices(
        self, taken: Sequence[tuple[ConsumedRecord, UnroutedWebhook]], dead: list[DeadLetter]
    ) -> list[tuple[ConsumedRecord, UnroutedWebhook]]:
        """Stores or ignores the notices among these, and returns the others.

        What is no notice and came as one is added to ``dead``.
        """
        others: list[tuple[ConsumedRecord, UnroutedWebhook]] = []
        notices: list[KeptNotice | IgnoredWebhook] = []
        for record, webhook in taken:
            if headers.NOTICE not in webhook.headers:
                others.append((record, webhook))
                continue
            try:
                notice = as_notice(webhook, self._notices, self._metrics)
            except MalformedWebhookError as error:
                dead.append(DeadLetter(record, str(error)))
            else:
                notices.append(notice)
        if kept := [each for each in notices if isinstance(each, KeptNotice)]:
            await with_timeout(ADAPTER_TIMEOUT_S, self._store.keep_notices(kept, self._clock()))
        if ignored := [each for each in notices if isinstance(each, IgnoredWebhook)]:
            await self._ignore(ignored)
        return others

    async def route_waiting(self) -> None:
        """Routes waiting webhooks whose payment is known now; those too old end as ignored."""
        now = self._clock()
        if self._looked_at is not None and now < self._looked_at:
            self._looked_at = None  # the clock was set back
        if self._looked_at is None or now - self._looked_at >= MISSED_EVERY:
            since = _EVER if self._looked_at is None else self._looked_at - SAME_MOMENT
            await with_timeout(ADAPTER_TIMEOUT_S, self._store.mark_missed(since))
            self._looked_at = now
        found = await with_timeout(ADAPTER_TIMEOUT_S, self._store.routable(BATCH_RECORDS))
        too_old = now - timedelta(seconds=self._settings.unrouted_max_age_s)
        expired = await with_timeout(
            ADAPTER_TIMEOUT_S,
            # what is of an account that is not known yet, nobody has read: it goes on waiting
            self._store.expired(too_old, BATCH_RECORDS, sorted(self._translators)),
        )
        ids = {u.event_id for u in found}
        leaving = [*found, *(u for u in expired if u.event_id not in ids)]
        if not leaving:
            return
        try:
            await self._finish(leaving)
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("webhooks.routing_failed", waiting=len(leaving))
            for each in leaving:
                self._heartbeat.beat()
                with bound_contextvars(event_id=each.event_id, object_id=each.object_id):
                    await self._finish_alone(each)

    async def _finish(self, waiting: Sequence[UnroutedWebhook], error: str | None = None) -> None:
        """Routes webhooks with a payment; the others are ignored, as none of ours ever came.

        Those that are no event any more become dead letters; with an error all do.
        """
        known: list[ProducerRecord] = []
        ignored: list[IgnoredWebhook] = []
        dead: list[DeadLetter] = []
        for webhook in waiting:
            if error is not None:
                dead.append(as_dead_letter(webhook, error))
            elif webhook.payment_id:
                known.append(routed(webhook.payment_id, webhook.value, webhook.headers))
            else:
                match self._ended(webhook):
                    case Owned(payment_id):
                        known.append(routed(payment_id, webhook.value, webhook.headers))
                    case IgnoredWebhook() as ended:
                        ignored.append(ended)
                    case DeadLetter() as letter:
                        dead.append(letter)
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.ignore_waiting(ignored, self._clock()))
        self._count(ignored)
        await self._send(known, dead)
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.delete_unrouted(waiting))

    async def _finish_alone(self, webhook: UnroutedWebhook) -> None:
        """Routes one waiting webhook; it becomes a dead letter if our own code fails on it."""
        try:
            await self._finish([webhook])
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("webhook.routing_failed")
            await self._finish([webhook], name_defect(error))

    def _ended(self, webhook: UnroutedWebhook) -> Owned | IgnoredWebhook | DeadLetter:
        """Returns how a webhook ends that waited in vain for its object's payment."""
        match self._read(webhook):
            case NoEvent(why):
                return as_dead_letter(webhook, why)
            case Awaited() as in_vain:
                return in_vain.ended(webhook, NEVER_OURS)
            case None:
                return IgnoredWebhook(webhook, UNREAD, NEVER_OURS)
            case Owned(kind=kind) if webhook.event_id == webhook.headers[headers.EVENT_ID]:
                # that payment refused it. What has waited unread, under another ID, goes there
                return IgnoredWebhook(webhook, kind, NEVER_OURS)
            case Owned() | IgnoredWebhook() as found:
                return found

    def _read(self, webhook: UnroutedWebhook) -> Owned | IgnoredWebhook | NoEvent | Awaited | None:
        """Returns what can be said of a webhook whose object is not known; None after a defect."""
        with bound_contextvars(event_id=webhook.event_id, object_id=webhook.object_id):
            translator = self._translators.get(webhook.provider)
            if translator is None:
                return None
            try:
                translated = translator.translate(webhook.value)
            except MalformedObjectError as error:
                return Awaited(error.kind, storable(str(error)), error.is_payment)
            except MalformedWebhookError as error:
                return NoEvent(str(error))
            except ANY_ERROR:  # our own defect: the webhook waits
                log.exception("webhook.translation_failed", provider=webhook.provider)
                return None
            return self._of_fact(webhook, translated)

    def _of_fact(
        self, webhook: UnroutedWebhook, translated: Translated
    ) -> Owned | IgnoredWebhook | Awaited:
        kind, fact = translated.kind, with_storable_texts(translated.fact)
        if isinstance(fact, Unmodelled) and fact.unread_version:
            self._metrics.unread_versions.labels(webhook.provider, kind).inc()
        payment_id = named_cause(fact)
        if payment_id is not None:
            return Owned(payment_id, kind)
        match fact:
            case Foreign():
                self._metrics.foreign.labels(webhook.provider).inc()
                return IgnoredWebhook(webhook, kind, fact.why)
            case Unmodelled(unknown_status=False, unread_version=False):
                return IgnoredWebhook(webhook, kind, fact.why)
        why = fact.why if isinstance(fact, Unmodelled) else None
        return Awaited(kind, why, translated.is_payment)

    async def _ignore(self, ignored: Sequence[IgnoredWebhook]) -> None:
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.ignore(ignored, self._clock()))
        self._count(ignored)

    def _count(self, ignored: Sequence[IgnoredWebhook]) -> None:
        with best_effort("metrics"):
            for each in ignored:
                self._metrics.ignored.labels(each.webhook.provider, each.kind).inc()

    async def _send(self, known: Sequence[ProducerRecord], dead: Sequence[DeadLetter]) -> None:
        if known or dead:
            await with_timeout(ADAPTER_TIMEOUT_S, self._sender.send([*known, *as_outgoing(dead)]))
        with best_effort("metrics"):
            note(dead)
            self._metrics.dead_letters.inc(len(dead))


def _log_fields(record: ConsumedRecord) -> dict[str, str | int]:
    event_id = record.headers.get(headers.EVENT_ID, "")[: headers.ID_CHARS_MAX]
    at = record.position
    return {"event_id": event_id, "partition": at.partition, "offset": at.offset}
