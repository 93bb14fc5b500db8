"""Routes webhooks that carry no payment ID (disputes, others' refunds) by the provider's object.

What is about no known payment and could have no effect on one is noted as ignored. Where the
object's payment isn't known yet, the webhook is kept in Postgres and routed once it is;
after ``unrouted_max_age_s`` it is a dead letter. Offsets are committed after all that.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from decisions.dead_letters import as_outgoing, note
from domain.inputs import Foreign, Unmodelled
from messaging.kafka_internals.consumer import GapReportingConsumer
from messaging.kafka_internals.records import OffsetGap
from messaging.lifetime import close_consumer, start_client
from ports.errors import UndecodableRecordError
from ports.failures import ADAPTER_TIMEOUT_S, describe_error, must_propagate
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
BATCH: Final = 500
START_WITHIN_S: Final = 30.0
STOP_WITHIN_S: Final = 5.0
_NOBODYS: Final = "no payment is known for the provider's object this is about"


def consumer(bootstrap: str) -> GapReportingConsumer:
    """A consumer of the unrouted webhooks that commits only when told. Not started."""
    return GapReportingConsumer(
        PROVIDER_WEBHOOKS_UNROUTED,
        bootstrap_servers=bootstrap,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **fetching(PROVIDER_WEBHOOKS_UNROUTED),
    )


class Router:
    """The loop over unrouted webhooks, new ones and kept ones."""

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

    async def run(self) -> None:
        """Until cancelled, or until a fault that reading again will mend."""
        source = self._source()
        try:
            await start_client(source, START_WITHIN_S)
            while True:
                found = await source.getmany(timeout_ms=200, max_records=BATCH)
                read = [record for part in found.values() for record in part]
                if records := [_as_record(each) for each in read if type(each) is not OffsetGap]:
                    await self.route(records)
                if read:  # also where it is only past offsets without a record
                    await source.commit()
                await self.route_kept()
                self._heartbeat.beat()
        finally:
            if not await close_consumer(source, STOP_WITHIN_S):
                log.warning("router.not_stopped", within_s=round(STOP_WITHIN_S, 1))

    async def route(self, records: Sequence[ConsumedRecord]) -> None:
        """Routes all; one on which our own code fails is a dead letter, and stops no other."""
        try:
            await self._route(records)
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("router.failed", records=len(records))
            if len(records) > 1:
                for record in records:
                    self._heartbeat.beat()
                    await self.route([record])
                return
            why = f"our own code failed: {describe_error(error)}"
            await self._send([], [DeadLetter(record, why) for record in records])

    async def _route(self, records: Sequence[ConsumedRecord]) -> None:
        """Sends each to its payment, keeps it, ignores it, or sends it to the dead letters."""
        dead: list[DeadLetter] = []
        waiting: list[tuple[ConsumedRecord, UnroutedWebhook]] = []
        for record in records:
            try:
                waiting.append((record, _as_unrouted(record)))
            except UndecodableRecordError as error:
                dead.append(DeadLetter(record, str(error)))
        asked = [(webhook.provider, webhook.object_id) for _, webhook in waiting]
        owners = await with_timeout(ADAPTER_TIMEOUT_S, self._store.owners(asked))
        known, ignored, kept = [], [], []
        for record, webhook in waiting:
            owner = owners.get((webhook.provider, webhook.object_id))
            if owner is not None:
                known.append(routed(owner, webhook.value, webhook.headers))
            elif (nothing := self._ignored(webhook)) is not None:
                ignored.append(nothing)
            elif webhook.object_id:
                kept.append(webhook)
            else:
                dead.append(DeadLetter(record, f"header {headers.OBJECT_ID} is missing or empty"))
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.ignore(ignored, self._clock()))
        with best_effort("metrics"):
            for nothing in ignored:
                self._metrics.ignored.labels(nothing.webhook.provider, nothing.kind).inc()
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.park(kept, self._clock()))
        await self._send(known, dead)

    async def route_kept(self) -> None:
        """Routes what was kept and is known now; gives up on what is too old."""
        found = await with_timeout(ADAPTER_TIMEOUT_S, self._store.routable(BATCH))
        too_old = self._clock() - timedelta(seconds=self._settings.unrouted_max_age_s)
        nobodys = await with_timeout(ADAPTER_TIMEOUT_S, self._store.expired(too_old, BATCH))
        ids = {u.event_id for u in found}
        leaving = [*found, *(u for u in nobodys if u.event_id not in ids)]
        if not leaving:
            return
        try:
            await self._let_go(leaving)
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("router.failed", kept=len(leaving))
            for each in leaving:
                self._heartbeat.beat()
                await self._let_go_alone(each)

    async def _let_go(self, kept: Sequence[UnroutedWebhook], error: str | None = None) -> None:
        """Sends to its payment what has one, the rest to the dead letters: all, for an error."""
        known = [
            routed(u.payment_id, u.value, u.headers) for u in kept if u.payment_id and not error
        ]
        dead = [_dead(u, error or _NOBODYS) for u in kept if error or not u.payment_id]
        await self._send(known, dead)
        await with_timeout(ADAPTER_TIMEOUT_S, self._store.forget([u.event_id for u in kept]))

    async def _let_go_alone(self, kept: UnroutedWebhook) -> None:
        try:
            await self._let_go([kept])
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            await self._let_go([kept], f"our own code failed: {describe_error(error)}")

    def _ignored(self, webhook: UnroutedWebhook) -> IgnoredWebhook | None:
        """The webhook as one without effect, if it is; what can't be read is no such thing."""
        translator = self._translators.get(webhook.provider)
        if translator is None:
            return None
        try:
            translated = translator.translate(webhook.value)
        except MalformedWebhookError:
            return None
        except ANY_ERROR:  # our own defect: the webhook is kept, or a dead letter where it can't be
            log.exception("webhook.not_translated", provider=webhook.provider)
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


def _dead(unrouted: UnroutedWebhook, error: str) -> DeadLetter:
    position = RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, -1, -1)  # its place in the log is long past
    record = ConsumedRecord(
        position, unrouted.object_id.encode(), unrouted.value, unrouted.headers, 0
    )
    return DeadLetter(record, error)


def _as_record(record: ConsumerRecord[bytes, bytes]) -> ConsumedRecord:
    return ConsumedRecord(
        RecordOffset(record.topic, record.partition, record.offset),
        record.key,
        b"" if record.value is None else record.value,  # an Unreadable stays one, if empty too
        headers.as_text(record.headers),
        record.timestamp,
    )


def _as_unrouted(record: ConsumedRecord) -> UnroutedWebhook:
    """The record as a webhook to route. Raises UndecodableRecordError, which says why."""
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
        named[headers.EVENT_ID], named[headers.PROVIDER], named.get(headers.OBJECT_ID, ""),
        named, record.value, None,
    )  # fmt: skip
