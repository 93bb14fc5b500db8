"""Reads a provider's event list, for what no webhook brought."""

from collections.abc import Callable
from datetime import datetime

from structlog.contextvars import bound_contextvars

from decisions.dead_letters import as_outgoing
from ports.failures import ADAPTER_TIMEOUT_S, name_defect
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent, ListCursor, ProviderClient
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from ports.stores import RecordSender, SweepStore
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.listed_events import ListedEvents
from processor.worker.sweeps.sweep import Pace, Turn, with_timeout_each
from processor.worker.webhook_records import fetched
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR
from schemas import headers
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED

log = get_logger(__name__)


class EventListSweep:
    """Publishes the events that one provider lists after the cursor.

    Args:
        store: the cursor.
        sender: publishes events.
        provider: the provider's name.
        client: its adapter.
        pace: of the requests to it.
        settles_s: how late its list may be, in seconds.
        metrics: the worker's metrics.
        clock: the current time in UTC.
    """

    def __init__(
        self,
        store: SweepStore,
        sender: RecordSender,
        provider: str,
        client: ProviderClient,
        pace: Pace,
        settles_s: float,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._sender = sender
        self._provider = provider
        self._client = client
        self._pace = pace
        self._metrics = metrics
        self._clock = clock
        self._listed = ListedEvents(settles_s)
        self._own: ListCursor | None = None

    async def run(self, turn: Turn) -> None:
        """Reads the list to its end, page by page.

        The cursor stays at the last event that has settled, so what appears late is read too.
        """
        turn.step()
        provider, listed = self._provider, self._listed
        stored = await self._store.read_cursor(provider)
        listed.begin(self._clock())
        pages = self._client.events_after(*self._start(stored))
        async for page in with_timeout_each(ADAPTER_TIMEOUT_S, pages):
            now = self._clock()
            if news := listed.news(page):
                await self._sender.send([_as_record(event, provider, now) for event in news])
                self._metrics.reconciled.labels(provider, "event_list").inc(len(news))
            settled = listed.published(page, now)
            if settled is not None:
                await self._store.write_cursor(provider, settled.event_id, now, settled.at)
                self._own = settled
            await self._pace.pause(turn)
        listed.end()

    def _start(self, stored: ListCursor | None) -> tuple[str | None, datetime | None]:
        """Returns after which event, or else from which time on, to read.

        A provider need not accept an event of a type that is not asked for, nor say so. So an ID
        counts only in the process that got it from the list: a release may ask for other types. An
        event of an unknown time is no start at all, and the whole list is read again.
        """
        if stored is None:
            return None, self._listed.complete_until
        return stored.event_id if stored == self._own else None, stored.at


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
