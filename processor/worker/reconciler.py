"""Fetches events that no webhook delivered, and expires payments. One worker leads at a time.

It has three sweeps: the provider's event list from a cursor; the objects of unfinished payments of
which no event came for a while; payments whose customer did not act in time. Their results are
published to the topics and are deduplicated like all other records.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from structlog.contextvars import bound_contextvars

from decisions.dead_letters import as_outgoing
from ports.failures import (
    ADAPTER_TIMEOUT_S,
    RETRYABLE_IN_SWEEP,
    must_propagate,
    name_defect,
)
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

#: The leader's advisory lock. Its connection owns it until the connection ends.
LEADER_LOCK: Final = 7_236_120_572
#: After this many failed look-ups in a row, the provider counts as unavailable: the sweep ends.
FAILURES_MAX: Final = 5


class Reconciler:
    """The loop over the sweeps.

    Args:
        database_url: Postgres, for the leader's own connection.
        store: cursors, unfinished payments and the backlog.
        sender: publishes events and commands.
        clients: the adapters, by provider.
        settings: intervals, page size and rate.
        metrics: the worker's metrics.
        clock: the current time in UTC.
        heartbeat: beaten at each sweep, request and pause.
    """

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
        """Runs until cancelled. While this process leads, it runs all sweeps round after round."""
        while True:
            try:
                connecting = ServingConnection.connect(
                    self._database_url, autocommit=True, **CONNECTING
                )
                async with await with_timeout(ADAPTER_TIMEOUT_S, connecting) as leader:
                    await self._lead(leader)
            except (psycopg.OperationalError, TimeoutError):
                log.exception("reconciler.connection_failed")
            await self._rest()

    async def _lead(self, leader: psycopg.AsyncConnection[Any]) -> None:
        """Runs rounds for as long as this connection owns the leader's lock."""
        while True:
            cursor = await with_timeout(ADAPTER_TIMEOUT_S, leader.execute(LEAD, [LEADER_LOCK]))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return
            await self.round()
            await self._rest()

    async def _rest(self) -> None:
        rest_s = jittered(self._settings.reconcile_every_s)
        self._heartbeat.beat(rest_s)
        await asyncio.sleep(rest_s)

    async def round(self) -> None:
        """Runs every sweep once. A sweep that fails does not prevent the others."""
        await self._run_sweep("expiry", self._expire())
        await self._run_sweep("backlog", self._measure_backlog())
        for provider, client in self._clients.items():
            await self._run_sweep("events", self._list_events(provider, client))
            await self._run_sweep("objects", self._look_up_objects(provider, client))

    async def _run_sweep(self, name: str, sweep: Any) -> None:
        self._heartbeat.beat()
        try:
            await sweep
        except RETRYABLE_IN_SWEEP as error:
            self._metrics.loop_errors.labels(name).inc()
            log.warning("sweep.failed", sweep=name, error=repr(error))
        except ANY_ERROR:  # unforeseen: the other sweeps still run
            if is_cancelled():
                raise
            self._metrics.loop_errors.labels(name).inc()
            log.exception("sweep.failed", sweep=name)

    async def _list_events(self, provider: str, client: ProviderClient) -> None:
        """Publishes the events that the provider lists after the cursor, page by page."""
        cursor = await self._store.read_cursor(provider)
        async for page in _with_timeout_each(ADAPTER_TIMEOUT_S, client.events_after(cursor)):
            now = self._clock()
            await self._sender.send([_as_record(event, provider, now) for event in page])
            await self._store.write_cursor(provider, page[-1].webhook.event_id, now)
            self._metrics.reconciled.labels(provider, "event_list").inc(len(page))
            await self._pause()

    async def _look_up_objects(self, provider: str, client: ProviderClient) -> None:
        """Publishes the present state of the objects of unfinished, silent payments.

        A cursor is stored after each page, and a new leader continues there. So every payment gets
        its turn even if a whole pass takes longer than one worker leads.
        """
        silent_since = self._clock() - timedelta(seconds=self._settings.unfinished_after_s)
        cursor = f"{provider}/objects"
        after = await self._store.read_cursor(cursor) or ""
        page, failed = self._settings.reconcile_page, 0
        while True:
            rows = await self._store.unfinished(silent_since, after, page)
            for payment_id, its_provider, object_id in rows:
                if its_provider != provider:
                    continue
                failed = 0 if await self._look_up(client, payment_id, object_id) else failed + 1
                if failed == FAILURES_MAX:
                    await self._store.write_cursor(cursor, payment_id, self._clock())
                    raise ProviderUnavailableError(f"{failed} look-ups in a row failed")
                await self._pause()
            reached = rows[-1][0] if len(rows) == page else ""
            if reached != after:
                await self._store.write_cursor(cursor, reached, self._clock())
            if not reached:
                return
            after = reached

    async def _pause(self) -> None:
        """Paces the requests, because the provider's rate limit is also needed for calls."""
        self._heartbeat.beat(1 / self._settings.reconcile_per_s)
        await asyncio.sleep(1 / self._settings.reconcile_per_s)

    async def _look_up(self, client: ProviderClient, payment_id: str, object_id: str) -> bool:
        """Publishes the object's present state. Returns False if that failed."""
        with bound_contextvars(payment_id=payment_id, object_id=object_id):
            try:
                event = await with_timeout(ADAPTER_TIMEOUT_S, client.retrieve(object_id))
                await self._publish(client, payment_id, object_id, event)
            except (ProviderUnavailableError, TimeoutError) as error:
                log.warning("object.lookup_failed", error=repr(error))
            except ANY_ERROR as error:
                if must_propagate(error):
                    raise
                log.exception("object.lookup_failed")
            else:
                return True
        self._metrics.loop_errors.labels("object").inc()
        return False

    async def _publish(
        self, client: ProviderClient, payment_id: str, object_id: str, event: FetchedEvent
    ) -> None:
        named = {
            headers.EVENT_ID: event.webhook.event_id,
            headers.PROVIDER: client.name,
            headers.RECEIVED_AT: self._clock().isoformat(),
            headers.OBJECT_ID: object_id,
        }
        await self._sender.send([routed(payment_id, event.body, named)])
        self._metrics.reconciled.labels(client.name, "object").inc()

    async def _expire(self) -> None:
        """Publishes a cancel command for each payment whose customer did not act in time."""
        now = self._clock()
        rows = await self._store.expired(now, self._settings.reconcile_page)
        commands = []
        for payment_id, tenant, version in rows:
            with bound_contextvars(payment_id=payment_id):
                try:
                    commands.append(_expiry(payment_id, tenant, version, now))
                except ANY_ERROR:
                    log.exception("payment.expiry_failed")
        if commands:
            await self._sender.send(commands)

    async def _measure_backlog(self) -> None:
        now = self._clock()
        for kind, count, since in await self._store.gauges():
            self._metrics.backlog.labels(kind).set(count)
            age_s = (now - since).total_seconds() if since is not None else 0.0
            self._metrics.backlog_oldest_age.labels(kind).set(age_s)


async def _with_timeout_each(
    timeout_s: float, pages: AsyncIterator[Sequence[FetchedEvent]]
) -> AsyncIterator[Sequence[FetchedEvent]]:
    """Yields the pages. Raises TimeoutError if one takes longer than ``timeout_s`` seconds."""
    reading = aiter(pages)
    while True:
        try:
            page = await with_timeout(timeout_s, anext(reading))
        except StopAsyncIteration:
            return
        yield page


def _as_record(event: FetchedEvent, provider: str, now: datetime) -> ProducerRecord:
    """Returns a fetched event as a record; as a dead letter if our own code fails on it."""
    try:
        with bound_contextvars(event_id=event.webhook.event_id):
            return fetched(event, provider, now)
    except ANY_ERROR as error:
        log.exception("event.conversion_failed", provider=provider, event_id=event.webhook.event_id)
        position = RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, -1, -1)  # it was never in a topic
        named = {headers.EVENT_ID: event.webhook.event_id, headers.PROVIDER: provider}
        record = ConsumedRecord(
            position=position, key=None, value=event.body, headers=named, timestamp_ms=-1
        )
        (dead_letter,) = as_outgoing([DeadLetter(record, name_defect(error))])
        return dead_letter


def _expiry(payment_id: str, tenant: str, version: int, now: datetime) -> ProducerRecord:
    """Returns the command that expires a payment. Its event ID is the same for the same version."""
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
