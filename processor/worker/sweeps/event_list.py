"""Reads a provider's event list, for what no webhook brought."""

from datetime import datetime, timedelta

from ports.failures import ADAPTER_TIMEOUT_S
from ports.provider import ListCursor
from processor.worker.sweeps.access import Access
from processor.worker.sweeps.listed_events import ListedEvents
from processor.worker.sweeps.sweep import Turn, with_timeout_each


class EventListSweep:
    """Publishes the events that one provider lists after the cursor.

    Args:
        access: the provider, the cursor, and where events go.
        settles_s: how late its list may be, in seconds.
    """

    def __init__(self, access: Access, settles_s: float) -> None:
        self._access = access
        self._listed = ListedEvents(settles_s)
        self._own: ListCursor | None = None

    async def run(self, turn: Turn) -> None:
        """Reads the list to its end, page by page.

        The cursor stays at the last event that has settled, so what appears late is read too. The
        time is that of our clock or of the store's, whichever is behind: a clock that is ahead
        would settle what may still change.
        """
        turn.step()
        access, listed = self._access, self._listed
        stored = await access.store.read_cursor(access.provider)
        ahead = max(timedelta(0), access.clock() - await access.store.now())
        listed.begin(access.clock() - ahead)
        pages = access.client.events_after(*self._start(stored))
        async for page in with_timeout_each(ADAPTER_TIMEOUT_S, pages):
            now = access.clock() - ahead
            if news := listed.news(page):
                await access.publish("event_list", [(event, None) for event in news])
            settled = listed.published(page, now)
            if settled is not None:
                await access.store.write_cursor(access.provider, settled.event_id, now, settled.at)
                self._own = settled
            await access.pace.pause(turn)
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
