"""Lists a provider's refunds, disputes and fraud warnings, for what no event ever reported."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from ports.failures import ADAPTER_TIMEOUT_S
from ports.provider import FetchedEvent, NotPermittedError
from processor.worker.sweeps.access import Access
from processor.worker.sweeps.findings import says_news
from processor.worker.sweeps.sweep import Turn, with_timeout_each
from runtime.logs import get_logger
from schemas.settings import WorkerSettings

log = get_logger(__name__)

#: Seconds between two checks of whether the list is to be read: a failed reading is tried again.
CHECK_PARTS_S: Final = 600.0
#: Where the cursor of a reading under way names a part, that of a finished one has this.
READ: Final = "read"


class PartListSweep:
    """Publishes what is new in one provider's list of one kind of parts of payments.

    Of a payment that has succeeded, refunds and disputes may change for months. One list of them
    costs a request for a hundred, where a look at every payment would cost one each.

    Args:
        access: the provider, whose the parts are, how far they were read, and where news go.
        kind: one of the provider's kinds of parts.
        settings: how often the list is read, and how old its parts may be.
    """

    def __init__(self, access: Access, kind: str, settings: WorkerSettings) -> None:
        self._access = access
        self._kind = kind
        self._cursor = f"{access.provider}/parts/{kind}"
        self._every = timedelta(seconds=settings.parts_every_s)
        self._window = timedelta(seconds=settings.parts_window_s)
        self._refused_at: datetime | None = None

    async def run(self, turn: Turn) -> None:
        """Reads the list to its end, if its last reading is long enough ago.

        How far it was read is kept, page by page, so that neither a failure nor a restart costs a
        page. What is made during a reading is found by the next one.
        """
        turn.step()
        access, now = self._access, self._access.clock()
        if self._is_recent(self._refused_at, now):
            return
        last = await access.store.read_cursor(self._cursor)
        begun, after = now, None
        if last is not None and last.at is not None and self._is_recent(last.at, now):
            if last.event_id == READ:
                return
            begun, after = last.at, last.event_id
        try:
            await self._read(turn, begun, after)
        except NotPermittedError as error:
            self._refused_at = now
            access.metrics.parts_not_permitted.labels(access.provider, self._kind).inc()
            note = "the API key lacks the right to read it; asked again in a day"
            log.warning("parts.not_permitted", list=self._cursor, error=str(error), note=note)

    def _is_recent(self, at: datetime | None, now: datetime) -> bool:
        """Returns whether this is not long ago. A clock that was set back makes nothing recent."""
        return at is not None and at <= now < at + self._every

    async def _read(self, turn: Turn, begun: datetime, after: str | None) -> None:
        """Reads the list on, of a reading that was begun then."""
        access, progress = self._access, after
        pages = access.client.parts_since(self._kind, begun - self._window, after)
        async for page in with_timeout_each(ADAPTER_TIMEOUT_S, pages):
            published = await publish_new_parts(access, "part_list", page.parts)
            progress = page.after or READ
            await access.store.write_cursor(
                self._cursor, progress, access.clock(), begun, published
            )
            await access.pace.pause(turn)
        if progress != READ:
            await access.store.write_cursor(self._cursor, READ, access.clock(), begun)


async def publish_new_parts(
    access: Access, source: str, parts: Sequence[FetchedEvent]
) -> Sequence[str]:
    """Publishes what is new. Returns its event IDs.

    A part of an object that no payment has is not ours, or not yet: the next reading finds it.
    """
    now = access.clock()
    objects = [part.webhook.object_id for part in parts if part.webhook.object_id]
    owners = await access.store.owners_with_payments(access.provider, objects)
    news: dict[str, tuple[FetchedEvent, str]] = {}
    for part in parts:
        payment_id, payment = owners.get(part.webhook.object_id or "", (None, None))
        if payment_id and says_news(access.translator, payment, part, now):
            news[part.webhook.event_id] = part, payment_id
    known = await access.store.known_events(list(news)) if news else frozenset()
    unknown = {event_id: each for event_id, each in news.items() if event_id not in known}
    if unknown:
        await access.publish(source, unknown.values())
    return list(unknown)
