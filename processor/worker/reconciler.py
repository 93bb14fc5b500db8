"""Fetches what was never delivered, and ends what nobody acted on. One leader at a time.

Three sweeps: the provider's event list from a cursor; the objects of payments that are unfinished
and silent; payments whose customer's time is over. All of it goes to the topics and meets the same
dedup as everything else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from decisions.dead_letters import as_outgoing
from ports.errors import PublishError, StoreUnavailableError
from ports.failures import ADAPTER_TIMEOUT_S, describe_error, must_propagate
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent, ProviderClient, ProviderUnavailableError
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from ports.stores import RecordSender, SweepStore
from postgres.deadlines import CONNECTING, ServingConnection
from postgres.routing import LEAD
from processor.worker.metrics import WorkerMetrics
from processor.worker.webhook_records import fetched, routed
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.jitter import jittered
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, is_cancelled, with_timeout
from schemas import headers, identity
from schemas.commands import CancelPayment
from schemas.settings import WorkerSettings
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_WEBHOOKS_UNROUTED

log = get_logger(__name__)

#: The advisory lock of the leader, held by its connection for as long as it lives.
LEADER_LOCK: Final = 7_236_120_572
#: So many look-ups in a row that fail are no matter of single objects: this round is over.
FAILURES_MAX: Final = 5
_MENDED_BY_TIME: Final = (ProviderUnavailableError, PublishError, StoreUnavailableError)


class Reconciler:
    """The loop of sweeps."""

    def __init__(
        self,
        database_url: str,
        store: SweepStore,
        sender: RecordSender,
        clients: Mapping[str, ProviderClient],
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._database_url = database_url
        self._store = store
        self._sender = sender
        self._clients = clients
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._heartbeat = heartbeat or unmonitored_heartbeat()

    async def run(self) -> None:
        """Until cancelled: whenever this process leads, all sweeps, round after round."""
        while True:
            try:
                connecting = ServingConnection.connect(
                    self._database_url, autocommit=True, **CONNECTING
                )
                async with await with_timeout(ADAPTER_TIMEOUT_S, connecting) as leader:
                    await self._lead(leader)
            except (psycopg.OperationalError, TimeoutError):
                log.exception("reconciler.leadership_lost")
            await self._rest()

    async def _lead(self, leader: psycopg.AsyncConnection[Any]) -> None:
        while True:
            asked = await with_timeout(ADAPTER_TIMEOUT_S, leader.execute(LEAD, [LEADER_LOCK]))
            row = await asked.fetchone()
            if row is None or not row[0]:
                return
            await self.round()
            await self._rest()

    async def _rest(self) -> None:
        rest_s = jittered(self._settings.reconcile_every_s)
        self._heartbeat.beat(rest_s)
        await asyncio.sleep(rest_s)

    async def round(self) -> None:
        """One round of all sweeps; one that fails does not keep the others from running."""
        sweeps = [(self._expire, "expiry")]
        for sweep, name in [*sweeps, (self._gauges, "gauges")]:
            await self._noting_errors(name, sweep())
        for provider, client in self._clients.items():
            await self._noting_errors("events", self._events(provider, client))
            await self._noting_errors("objects", self._objects(provider, client))

    async def _noting_errors(self, name: str, sweep: Any) -> None:
        self._heartbeat.beat()
        try:
            await sweep
        except _MENDED_BY_TIME as error:
            self._metrics.loop_errors.labels(name).inc()
            log.warning("sweep.failed", sweep=name, error=repr(error))
        except ANY_ERROR:  # nobody foresaw it: the others run all the same
            if is_cancelled():
                raise
            self._metrics.loop_errors.labels(name).inc()
            log.exception("sweep.failed", sweep=name)

    async def _events(self, provider: str, client: ProviderClient) -> None:
        """Everything the provider lists after the cursor, which moves page by page."""
        cursor = await self._store.read_cursor(provider)
        async for page in _each_within(ADAPTER_TIMEOUT_S, client.events_after(cursor)):
            now = self._clock()
            await self._sender.send([_as_record(event, provider, now) for event in page])
            await self._store.write_cursor(provider, page[-1].webhook.event_id, now)
            self._metrics.fetched.labels(provider, "events").inc(len(page))
            await self._pause()

    async def _objects(self, provider: str, client: ProviderClient) -> None:
        """The present state of every object whose payment is unfinished and silent.

        Where it stands is kept page by page: a new leader goes on there, so that the last payments
        are looked at too when there are more than one leader's time is enough for.
        """
        silent_since = self._clock() - timedelta(seconds=self._settings.unfinished_after_s)
        place = f"{provider}/objects"
        after = await self._store.read_cursor(place) or ""
        page, failed = self._settings.reconcile_page, 0
        while True:
            rows = await self._store.unfinished(silent_since, after, page)
            for payment_id, its_provider, object_id in rows:
                if its_provider != provider:
                    continue
                failed = 0 if await self._object(client, payment_id, object_id) else failed + 1
                if failed == FAILURES_MAX:
                    await self._store.write_cursor(place, payment_id, self._clock())
                    raise ProviderUnavailableError(f"{failed} look-ups in a row failed")
                await self._pause()
            reached = rows[-1][0] if len(rows) == page else ""
            if reached != after:
                await self._store.write_cursor(place, reached, self._clock())
            if not reached:
                return
            after = reached

    async def _pause(self) -> None:
        """Between two questions: the provider's limits are for our calls first."""
        self._heartbeat.beat(1 / self._settings.reconcile_per_s)
        await asyncio.sleep(1 / self._settings.reconcile_per_s)

    async def _object(self, client: ProviderClient, payment_id: str, object_id: str) -> bool:
        """Whether the object could be looked at; one that can't keeps no other from it."""
        try:
            event = await with_timeout(ADAPTER_TIMEOUT_S, client.retrieve(object_id))
            return await self._send_on(client, payment_id, object_id, event)
        except (ProviderUnavailableError, TimeoutError) as error:
            log.warning("object.not_retrieved", object_id=object_id, error=repr(error))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("object.not_retrieved", object_id=object_id)
        self._metrics.loop_errors.labels("object").inc()
        return False

    async def _send_on(
        self, client: ProviderClient, payment_id: str, object_id: str, event: FetchedEvent
    ) -> bool:
        named = {
            headers.EVENT_ID: event.webhook.event_id,
            headers.PROVIDER: client.name,
            headers.RECEIVED_AT: self._clock().isoformat(),
            headers.OBJECT_ID: object_id,
        }
        await self._sender.send([routed(payment_id, event.body, named)])
        self._metrics.fetched.labels(client.name, "objects").inc()
        return True

    async def _expire(self) -> None:
        """Asks to cancel what its customer did not act on in time; the stream checks again."""
        now = self._clock()
        rows = await self._store.expired(now, self._settings.reconcile_page)
        asked = []
        for row in rows:
            try:
                asked.append(_expiry(*row, now))
            except ANY_ERROR:
                log.exception("payment.not_expired", payment_id=row[0])
        if asked:
            await self._sender.send(asked)

    async def _gauges(self) -> None:
        now = self._clock()
        for what, count, since in await self._store.gauges():
            self._metrics.waiting.labels(what).set(count)
            age = (now - since).total_seconds() if since is not None else 0.0
            self._metrics.oldest.labels(what).set(age)


async def _each_within(
    seconds: float, pages: AsyncIterator[Sequence[FetchedEvent]]
) -> AsyncIterator[Sequence[FetchedEvent]]:
    """The pages, each of which comes within that time. Raises TimeoutError."""
    reading = aiter(pages)
    while True:
        try:
            page = await with_timeout(seconds, anext(reading))
        except StopAsyncIteration:
            return
        yield page


def _as_record(event: FetchedEvent, provider: str, now: datetime) -> ProducerRecord:
    """A fetched event as a record; a dead letter where our own code can't make one of it."""
    try:
        return fetched(event, provider, now)
    except ANY_ERROR as error:
        log.exception("event.not_sent", provider=provider, event_id=event.webhook.event_id)
        position = RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, -1, -1)  # it never stood in a topic
        named = {headers.EVENT_ID: event.webhook.event_id, headers.PROVIDER: provider}
        record = ConsumedRecord(position, None, event.body, named, -1)
        (letter,) = as_outgoing(
            [DeadLetter(record, f"our own code failed: {describe_error(error)}")]
        )
        return letter


def _expiry(payment_id: str, tenant: str, version: int, now: datetime) -> ProducerRecord:
    """The command that lets a payment expire: one per version, however often it is asked."""
    operation_id = identity.operation_id(tenant, payment_id, "expire", str(version))
    fingerprint = identity.fingerprint({"cause": "expired"})
    command = CancelPayment(
        event_id=identity.command_event_id(operation_id, fingerprint),
        payment_id=payment_id,
        tenant=tenant,
        operation_id=operation_id,
        fingerprint=fingerprint,
        received_at=now,
        cause="expired",
    )
    return ProducerRecord(
        PAYMENT_COMMANDS, payment_id.encode(), command.model_dump_json().encode(), ()
    )
