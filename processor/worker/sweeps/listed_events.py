"""Which events of a provider's list were published, and how far the list has settled. Pure.

A provider's event list is only eventually consistent: an event may appear in it late, between
events that were read before. So its end is read again until it has settled, and what was published
from it is not published again.

The list is sorted by the events' times. What happened ``settles_s`` before an event that an earlier
reading has met is all listed by now, so no clock of ours counts; but an event's time proves nothing
beyond the moment at which it was read. What is old by our clock has settled too, also if that clock
is wrong by minutes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from ports.provider import FetchedEvent, ListCursor

#: Events that are remembered, with 150 bytes each. Beyond them, one that has not settled is
#: published once more by each reading, as a duplicate.
EVENTS_MAX: Final = 200_000
#: How much our clock may differ from the provider's.
CLOCK_SKEW: Final = timedelta(minutes=5)


class ListedEvents:
    """The memory of one process; another one that takes over begins without any.

    It has only the IDs of events that have not settled.

    Args:
        settles_s: an event appears at most so many seconds after others that happened later.
    """

    def __init__(self, settles_s: float) -> None:
        self._settles = timedelta(seconds=settles_s)
        #: IDs of what was published and is not settled: met by earlier readings, and by this one.
        self._known: set[str] = set()
        self._met: set[str] = set()
        self._newest: datetime | None = None
        self._settled_until: datetime | None = None
        #: This reading has come to an event that has not settled. So no later one has.
        self._is_past = False
        #: Everything before this time was published. None: no reading came to the list's end.
        self.complete_until: datetime | None = None

    def begin(self, now: datetime) -> None:
        """Begins to read at the cursor; ``now`` is our clock's time."""
        self._known |= self._met
        self._met = set()
        self._is_past = False
        old = now - self._settles - CLOCK_SKEW
        listed = self._newest - self._settles if self._newest is not None else old
        self._settled_until = max(old, listed)

    def news(self, page: Sequence[FetchedEvent]) -> list[FetchedEvent]:
        """Returns the events that were not published yet."""
        return [event for event in page if not self._is_published(event.webhook.event_id)]

    def published(self, page: Sequence[FetchedEvent], now: datetime) -> ListCursor | None:
        """Notes that all events of a page are published, oldest first.

        ``now`` is our clock's time after the page was read. Returns the last event up to which the
        list can't change any more; None: none in this page. An event without a readable time
        settles nothing, and has settled when a later one has.
        """
        settled, last = 0, None
        for number, event in enumerate(page, start=1):
            if event.at is None or self._is_past:
                continue
            if self._settled_until is None or event.at > self._settled_until:
                self._is_past = True
            else:
                settled, last = number, ListCursor(event.webhook.event_id, event.at)
        for event in page[:settled]:
            self._known.discard(event.webhook.event_id)
        for event in page[settled:]:
            self._remember(event.webhook.event_id)
        believed = (event.at for event in page if event.at is not None and event.at <= now)
        self._newest = max((*believed, *([self._newest] if self._newest else ())), default=None)
        return last

    def end(self) -> None:
        """Notes that the list was read to its end. What it does not have any more is forgotten."""
        self._known = self._met
        self._met = set()
        self.complete_until = self._settled_until

    def _is_published(self, event_id: str) -> bool:
        return event_id in self._known or event_id in self._met

    def _remember(self, event_id: str) -> None:
        self._known.discard(event_id)
        if len(self._known) + len(self._met) < EVENTS_MAX:
            self._met.add(event_id)
