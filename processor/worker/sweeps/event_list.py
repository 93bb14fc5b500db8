"""Reads a provider's event list, for what no webhook brought."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ports.failures import ADAPTER_TIMEOUT_S
from ports.provider import FetchedEvent, ListCursor
from ports.stores import NoticeStore
from processor.worker.sweeps.access import Access
from processor.worker.sweeps.listed_events import ListedEvents
from processor.worker.sweeps.sweep import Turn, with_timeout_each


class EventListSweep:
    """Publishes the events that one provider lists after the cursor.

    Args:
        access: the provider, the cursor, and where events go.
        settles_s: how late its list may be, in seconds.
        notices: from when on it is to be read again, because it was later than that.
    """

    def __init__(
        self, access: Access, settles_s: float, notices: NoticeStore | None = None
    ) -> None:
        self._access = access
        self._notices = notices
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
        wish = await self._notices.reread_from(access.provider) if self._notices else None
        ahead = max(timedelta(0), access.clock() - await access.store.now())
        listed.begin(access.clock() - ahead)
        pages = access.client.events_after(*self._start(stored, wish))
        async for page in with_timeout_each(ADAPTER_TIMEOUT_S, pages):
            now = access.clock() - ahead
            if news := listed.news(page):
                left = news if wish is None else await self._not_known(news)
                await access.publish("event_list", [(event, None) for event in left])
            settled = listed.published(page, now)
            if settled is not None:
                await access.store.write_cursor(access.provider, settled.event_id, now, settled.at)
                self._own = settled
            await access.pace.pause(turn)
        listed.end()
        if wish is not None and self._notices is not None:
            await self._notices.end_rereading(access.provider, wish)

    async def _not_known(self, news: Sequence[FetchedEvent]) -> list[FetchedEvent]:
        """Returns those without an outcome: almost all that is read again has one."""
        known = await self._access.store.known_events([each.webhook.event_id for each in news])
        return [each for each in news if each.webhook.event_id not in known]

    def _start(
        self, stored: ListCursor | None, wish: ListCursor | None
    ) -> tuple[str | None, datetime | None]:
        """Returns after which event, or else from which time on, to read.

        A wish moves that back and never on.

        A provider need not accept an event of a type that is not asked for, nor say so. So an ID
        counts only in the process that got it from the list: a release may ask for other types. An
        event of an unknown time is no start at all, and the whole list is read again.
        """
        if stored is None:
            return None, self._listed.complete_until
        if wish and wish.at and stored.at and wish.at < stored.at:
            return None, wish.at
        return stored.event_id if stored == self._own else None, stored.at
