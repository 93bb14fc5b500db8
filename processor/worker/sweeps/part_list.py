"""Lists a provider's refunds, disputes and fraud warnings, for what no event ever reported."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from structlog.contextvars import bound_contextvars

from ports.failures import ADAPTER_TIMEOUT_S
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent, ProviderClient, Translator
from ports.stores import RecordSender, SweepStore
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.findings import says_news
from processor.worker.sweeps.sweep import Pace, Turn, with_timeout_each
from processor.worker.webhook_records import routed
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR
from schemas import headers
from schemas.settings import WorkerSettings

log = get_logger(__name__)

#: Seconds between two checks of whether the list is to be read: a failed reading is tried again.
CHECK_PARTS_S: Final = 600.0
#: Where an event list's cursor names an event, this one has only the time of the last reading.
READ: Final = "read"


class PartListSweep:
    """Publishes what is new in one provider's list of parts of payments.

    Of a payment that has succeeded, refunds and disputes may change for months. One list of them
    costs a request for a hundred, where a look at every payment would cost one each.

    Args:
        store: whose the parts are, and when they were listed last.
        sender: publishes what is new.
        provider: the provider's name.
        client: its adapter.
        translator: decodes parts, to see whether they are news.
        pace: of the requests to it.
        settings: how often the list is read, and how old its parts may be.
        metrics: the worker's metrics.
        clock: the current time in UTC.
    """

    def __init__(
        self,
        store: SweepStore,
        sender: RecordSender,
        provider: str,
        client: ProviderClient,
        translator: Translator | None,
        pace: Pace,
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._sender = sender
        self._provider = provider
        self._client = client
        self._translator = translator
        self._pace = pace
        self._every = timedelta(seconds=settings.parts_every_s)
        self._window = timedelta(seconds=settings.parts_window_s)
        self._metrics = metrics
        self._clock = clock

    async def run(self, turn: Turn) -> None:
        """Reads the list to its end, if its last reading is long enough ago.

        When it was is kept, so that a restart costs no reading. One that did not come to its end
        begins again.
        """
        turn.step()
        cursor, begun = f"{self._provider}/parts", self._clock()
        last = await self._store.read_cursor(cursor)
        if last is not None and last.at and last.at <= begun < last.at + self._every:
            return
        pages = self._client.parts_since(begun - self._window)
        async for page in with_timeout_each(ADAPTER_TIMEOUT_S, pages):
            await self._publish_news(page)
            await self._pace.pause(turn)
        await self._store.write_cursor(cursor, READ, begun, begun)

    async def _publish_news(self, page: Sequence[FetchedEvent]) -> None:
        """Publishes what is new. A part of an object that no payment has is not ours, or not yet.

        In that case the next reading finds it.
        """
        now = self._clock()
        objects = [event.webhook.object_id for event in page if event.webhook.object_id]
        owners = await self._store.owners_with_payments(self._provider, objects)
        news: dict[str, tuple[str, FetchedEvent]] = {}
        for event in page:
            payment_id, payment = owners.get(event.webhook.object_id or "", (None, None))
            if payment_id and says_news(self._translator, payment, event, now):
                news[event.webhook.event_id] = payment_id, event
        known = await self._store.known_events(list(news)) if news else frozenset()
        records = [
            record
            for event_id, (payment_id, event) in news.items()
            if event_id not in known and (record := self._record(payment_id, event, now))
        ]
        if records:
            await self._sender.send(records)
            self._metrics.reconciled.labels(self._provider, "part_list").inc(len(records))

    def _record(self, payment_id: str, event: FetchedEvent, now: datetime) -> ProducerRecord | None:
        """Returns the part as a record of its payment; None if our own code fails on it."""
        event_id, object_id = event.webhook.event_id, event.webhook.object_id or ""
        with bound_contextvars(event_id=event_id, payment_id=payment_id):
            named = {
                headers.EVENT_ID: event_id,
                headers.PROVIDER: self._provider,
                headers.RECEIVED_AT: now.isoformat(),
                headers.OBJECT_ID: object_id,
            }
            try:
                return routed(payment_id, event.body, named)
            except ANY_ERROR:
                self._metrics.loop_errors.labels("part").inc()
                log.exception("part.conversion_failed", provider=self._provider)
                return None
