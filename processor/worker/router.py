"""Finds the payment of webhooks that carry no payment ID, by the provider's object.

These are disputes and refunds made at the provider, for example. A webhook that can have no effect
on any payment is recorded as ignored. If the object's payment is not known yet, the webhook waits
in Postgres and is routed once the payment is known; after ``unrouted_max_age_s`` it becomes a dead
letter. The router commits offsets after these effects.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from structlog.contextvars import bound_contextvars

from decisions.dead_letters import as_outgoing, note
from domain.inputs import Foreign, Unmodelled
from messaging.kafka_internals.consumer import GapReportingConsumer
from messaging.kafka_internals.records import OffsetGap
from messaging.lifetime import close_consumer, start_client
from ports.errors import UndecodableRecordError
from ports.failures import ADAPTER_TIMEOUT_S, must_propagate, name_defect
from ports.producer_record import ProducerRecord
from ports.provider import MalformedWebhookError, Translator
from ports.records import ConsumedRecord, DeadLetter, RecordOffset, Unreadable
from ports.stores import RecordSender, RoutingStore
from ports.texts import utc_time
from ports.work_items import IgnoredWebhook, UnroutedWebhook
from processor.worker.metrics import WorkerMetrics
from processor.worker.webhook_records import routed
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, best_effort, with_timeout
from schemas import headers
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED, fetching

log = get_logger(__name__)

GROUP: Final = "payments-router"
BATCH_RECORDS: Final = 500
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 5.0
#: A webhook and its payment's object may be stored at the same moment, neither transaction seeing
#: the other. No transaction lasts as long as this.
SAME_MOMENT: Final = timedelta(minutes=2)
#: How often such webhooks are looked for.
MISSED_EVERY: Final = timedelta(seconds=5)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NO_PAYMENT: Final = "no payment is known for the provider's object"


def create_consumer(bootstrap: str) -> GapReportingConsumer:
    """Creates the consumer of the unrouted webhooks, not started and without auto-commit."""
    return GapReportingConsumer(
        PROVIDER_WEBHOOKS_UNROUTED,
        bootstrap_servers=bootstrap,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **fetching(PROVIDER_WEBHOOKS_UNROUTED),
    )


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
    ) -> None:
        self._store = store
        self._sender = sender
        self._source = source
        self._translators = translators
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._heartbeat = heartbeat or unmonitored_heartbeat()
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
                if records := [_as_record(each) for each in read if type(each) is not OffsetGap]:
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
                unrouted.append((record, _as_unrouted(record)))
            except UndecodableRecordError as error:
                dead.append(DeadLetter(record, str(error)))
        objects = [(webhook.provider, webhook.object_id) for _, webhook in unrouted]
        owners = await with_timeout(ADAPTER_TIMEOUT_S, self._store.owners(objects))
        known, ignored, waiting = [], [], []
        for record, webhook in unrouted:
            owner = owners.get((webhook.provider, webhook.object_id))
            if owner is not None:
                known.append(routed(owner, webhook.value, webhook.headers))
            elif (without_effect := self._as_ignored(webhook)) is not None:
                ignored.append(without_effect)
            elif webhook.object_id:
                waiting.append(webhook)
            else:
                dead.append(DeadLetter(record, f"header {headers.OBJECT_ID} is missing or empty"))
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.ignore(ignored, self._clock()))
        with best_effort("metrics"):
            for each in ignored:
                self._metrics.ignored.labels(each.webhook.provider, each.kind).inc()
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.park(waiting, self._clock()))
        await self._send(known, dead)

    async def route_waiting(self) -> None:
        """Routes waiting webhooks whose payment is known now; those too old become dead letters."""
        now = self._clock()
        if self._looked_at is not None and now < self._looked_at:
            self._looked_at = None  # the clock was set back
        if self._looked_at is None or now - self._looked_at >= MISSED_EVERY:
            since = _EVER if self._looked_at is None else self._looked_at - SAME_MOMENT
            await with_timeout(ADAPTER_TIMEOUT_S, self._store.mark_missed(since))
            self._looked_at = now
        found = await with_timeout(ADAPTER_TIMEOUT_S, self._store.routable(BATCH_RECORDS))
        too_old = now - timedelta(seconds=self._settings.unrouted_max_age_s)
        expired = await with_timeout(ADAPTER_TIMEOUT_S, self._store.expired(too_old, BATCH_RECORDS))
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
        """Routes webhooks with a payment; the others become dead letters, with an error all do."""
        known = [
            routed(u.payment_id, u.value, u.headers) for u in waiting if u.payment_id and not error
        ]
        dead = [_dead(u, error or _NO_PAYMENT) for u in waiting if error or not u.payment_id]
        await self._send(known, dead)
        await with_timeout(
            ADAPTER_TIMEOUT_S, self._store.delete_unrouted([u.event_id for u in waiting])
        )

    async def _finish_alone(self, webhook: UnroutedWebhook) -> None:
        """Routes one waiting webhook; it becomes a dead letter if our own code fails on it."""
        try:
            await self._finish([webhook])
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("webhook.routing_failed")
            await self._finish([webhook], name_defect(error))

    def _as_ignored(self, webhook: UnroutedWebhook) -> IgnoredWebhook | None:
        """Returns the webhook as ignored if it has no effect; None if it has, or is unreadable."""
        with bound_contextvars(event_id=webhook.event_id, object_id=webhook.object_id):
            return self._without_effect(webhook)

    def _without_effect(self, webhook: UnroutedWebhook) -> IgnoredWebhook | None:
        translator = self._translators.get(webhook.provider)
        if translator is None:
            return None
        try:
            translated = translator.translate(webhook.value)
        except MalformedWebhookError:
            return None
        except ANY_ERROR:  # our own defect: the webhook waits, or becomes a dead letter
            log.exception("webhook.translation_failed", provider=webhook.provider)
            return None
        fact = translated.fact
        if isinstance(fact, Foreign):
            self._metrics.foreign.labels(webhook.provider).inc()
        elif not isinstance(fact, Unmodelled) or fact.unknown_status:
            return None
        return IgnoredWebhook(webhook, translated.kind, fact.why)

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


def _dead(unrouted: UnroutedWebhook, error: str) -> DeadLetter:
    position = RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, -1, -1)  # its own offset was not stored
    record = ConsumedRecord(
        position=position,
        key=unrouted.object_id.encode(),
        value=unrouted.value,
        headers=unrouted.headers,
        timestamp_ms=0,
    )
    return DeadLetter(record, error)


def _as_record(record: ConsumerRecord[bytes, bytes]) -> ConsumedRecord:
    return ConsumedRecord(
        position=RecordOffset(record.topic, record.partition, record.offset),
        key=record.key,
        value=b""
        if record.value is None
        else record.value,  # an empty Unreadable must stay Unreadable
        headers=headers.as_text(record.headers),
        timestamp_ms=record.timestamp,
    )


def _as_unrouted(record: ConsumedRecord) -> UnroutedWebhook:
    """Returns the record as a webhook to route. Raises UndecodableRecordError with the reason."""
    if isinstance(record.value, Unreadable):
        raise UndecodableRecordError(record.value.why)
    named = record.headers
    for name in (headers.EVENT_ID, headers.PROVIDER, headers.RECEIVED_AT):
        if not named.get(name):
            raise UndecodableRecordError(f"header {name} is missing or empty")
    for name in (headers.EVENT_ID, headers.PROVIDER, headers.OBJECT_ID):
        if len(named.get(name, "")) > headers.ID_CHARS_MAX:
            raise UndecodableRecordError(f"header {name} is too long")
    utc_time(named[headers.RECEIVED_AT])
    return UnroutedWebhook(
        event_id=named[headers.EVENT_ID],
        provider=named[headers.PROVIDER],
        object_id=named.get(headers.OBJECT_ID, ""),
        headers=named,
        value=record.value,
        payment_id=None,
    )
