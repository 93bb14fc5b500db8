"""What of a provider's event list is news, and how far the list has settled."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from ports.provider import FetchedEvent, Webhook
from processor.worker.sweeps import listed_events
from processor.worker.sweeps.listed_events import CLOCK_SKEW, ListedEvents
from tests.support.builders import NOW

SETTLES_S: Final = 60.0
#: From this age on an event has settled, whatever our clock may be wrong by.
OLD_S: Final = SETTLES_S + CLOCK_SKEW.total_seconds()


def at(second: float) -> datetime:
    """The time so many seconds after the first event."""
    return NOW + timedelta(seconds=second)


def event(event_id: str, second: float | None) -> FetchedEvent:
    """An event so many seconds after the first; None: nobody can read when."""
    return FetchedEvent(Webhook(event_id, None, None), b"", None if second is None else at(second))


def ids(events: list[FetchedEvent]) -> list[str]:
    """Their IDs."""
    return [each.webhook.event_id for each in events]


class Reader:
    """Reads a list again and again. Our clock is right, unless a test says otherwise."""

    def __init__(self) -> None:
        self.listed = ListedEvents(SETTLES_S)
        self._settled: str | None = None

    def read(self, second: float, *pages: list[FetchedEvent], ends: bool = True) -> list[str]:
        """Reads these pages so many seconds after the first event. Returns what is news."""
        self.listed.begin(at(second))
        news, self._settled = [], None
        for page in pages:
            news += ids(self.listed.news(page))
            cursor = self.listed.published(page, at(second))
            self._settled = cursor.event_id if cursor is not None else self._settled
        if ends:
            self.listed.end()
        return news

    def settled(self) -> str | None:
        """The last event that the last reading has found settled."""
        return self._settled


@pytest.fixture
def reader() -> Reader:
    """A process that has just started."""
    return Reader()


def test_an_event_settles_once_an_earlier_reading_met_a_much_later_one(reader: Reader) -> None:
    """The last one that has settled counts, over several pages."""
    first, second, third = event("evt_1", 0), event("evt_2", 20), event("evt_3", 21)
    reader.read(21, [first, second, third])
    reader.read(80, [first, second], [third, event("evt_4", 80)])
    assert reader.settled() is None
    reader.read(81, [first, second], [third, event("evt_4", 80)])
    assert reader.settled() == "evt_2"
    reader.read(82, [third, event("evt_4", 80)])
    assert reader.settled() is None


def test_an_event_that_appears_late_is_news_and_the_others_are_not(reader: Reader) -> None:
    """The list is read again from what has settled."""
    assert reader.read(40, [event("evt_1", 0), event("evt_2", 40)]) == ["evt_1", "evt_2"]
    again = [event("evt_1", 0), event("evt_late", 10), event("evt_2", 40)]
    assert reader.read(50, again) == ["evt_late"]
    assert reader.read(60, again) == []


def test_a_reading_settles_nothing_by_what_it_reads_itself(reader: Reader) -> None:
    """A long one has its newest events minutes after the first ones, before which one may come."""
    reader.read(0, [event("evt_1", 0)])
    reader.read(300, [event("evt_1", 0), event("evt_2", 300)])
    assert reader.settled() is None
    late = [event("evt_1", 0), event("evt_late", 1), event("evt_2", 300)]
    assert reader.read(301, late) == ["evt_late"]
    assert reader.settled() == "evt_late"


def test_the_first_reading_settles_only_what_is_old_by_our_clock(reader: Reader) -> None:
    """It has no earlier one. Our clock may be wrong by minutes."""
    first, second, third = event("evt_1", 0), event("evt_2", 1), event("evt_3", OLD_S)
    reader.read(OLD_S, [first, second], [third])
    assert reader.settled() == "evt_1"


def test_a_time_in_the_future_proves_nothing(reader: Reader) -> None:
    """Otherwise one event would settle all others at once, and the list be read after it."""
    odd = event("evt_odd", 10**9)
    assert reader.read(0, [event("evt_1", 0), odd]) == ["evt_1", "evt_odd"]
    late = [event("evt_1", 0), event("evt_late", 1), event("evt_2", 2), odd]
    assert reader.read(2, late) == ["evt_late", "evt_2"]
    assert reader.settled() is None
    reader.read(62, late)
    reader.read(OLD_S + 1, late)
    assert reader.settled() == "evt_late"
    assert reader.read(10**9, [event("evt_2", 2), event("evt_3", 10**6), odd]) == ["evt_3"]
    assert reader.settled() == "evt_3"


def test_an_event_without_a_time_settles_nothing(reader: Reader) -> None:
    """It has settled when a later one has, and is published once."""
    page = [event("evt_1", None), event("evt_2", 0), event("evt_3", None), event("evt_4", 30)]
    assert len(reader.read(30, page)) == 4
    assert reader.settled() is None
    assert reader.read(OLD_S, page) == []
    assert reader.settled() == "evt_2"
    assert reader.read(OLD_S + 1, page[2:]) == []
    assert reader.settled() is None


def test_an_interrupted_reading_settles_nothing_that_was_not_read(reader: Reader) -> None:
    """Its pages come again, and are not published again."""
    page = [event("evt_1", 0), event("evt_2", 1)]
    reader.read(1, page, ends=False)
    reader.read(2, page[:1], ends=False)
    assert reader.read(3, page) == []
    assert reader.settled() is None


def test_what_a_reading_knows_to_be_complete_needs_no_cursor(reader: Reader) -> None:
    """A new account has no event that has settled; its list is not searched again for the first."""
    assert reader.listed.complete_until is None
    reader.read(10, [event("evt_1", 0)], ends=False)
    assert reader.listed.complete_until is None
    reader.read(20, [event("evt_1", 0), event("evt_2", 20)])
    assert reader.listed.complete_until == at(0 - SETTLES_S)
    reader.read(21, [event("evt_1", 0), event("evt_2", 20)])
    assert reader.listed.complete_until == at(20 - SETTLES_S)


def test_only_what_has_not_settled_is_remembered(reader: Reader) -> None:
    """However many events there were before."""
    many = [event(f"evt_{n}", n / 100) for n in range(10_000)]
    reader.read(100, many)
    assert len(reader.listed._known) == 10_000
    reader.read(101, many)
    assert reader.settled() == "evt_3999"
    assert len(reader.listed._known) == 6_000


def test_more_events_than_are_remembered_are_not_all_published_again(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those beyond are, as duplicates."""
    monkeypatch.setattr(listed_events, "EVENTS_MAX", 8)
    page = [event(f"evt_{n}", n) for n in range(10)]
    assert len(reader.read(10, page)) == 10
    assert reader.read(11, page) == ["evt_8", "evt_9"]
    assert reader.read(12, page) == ["evt_8", "evt_9"]


def test_what_is_not_listed_any_more_is_forgotten(reader: Reader) -> None:
    """Test data may be deleted; the memory does not keep it for ever."""
    reader.read(0, [event("evt_1", 0)])
    reader.read(1, [])
    assert not reader.listed._known


def test_what_one_reading_meets_twice_is_published_once(reader: Reader) -> None:
    """Something new shifts the pages of a list that is read meanwhile."""
    first, second = event("evt_1", 0), event("evt_2", 1)
    assert reader.read(1, [first], [first, second]) == ["evt_1", "evt_2"]


def test_what_is_not_listed_any_more_is_forgotten_after_an_interruption_too(
    reader: Reader,
) -> None:
    """The next reading that comes to the end says what is there."""
    reader.read(0, [event("evt_1", 0)], ends=False)
    reader.read(1, [event("evt_2", 1)])
    assert reader.listed._known == {"evt_2"}


def test_nothing_behind_an_event_that_has_not_settled_settles(reader: Reader) -> None:
    """The cursor would pass that event, and what may come beside it."""
    reader.read(OLD_S, [event("evt_1", OLD_S), event("evt_2", 0)])
    assert reader.settled() is None


def test_a_page_without_a_time_does_not_undo_what_the_page_before_has_shown(
    reader: Reader,
) -> None:
    """An event a minute later is known, so the first one has settled."""
    pages = [event("evt_1", 0), event("evt_2", 90)], [event("evt_3", None)]
    reader.read(90, *pages)
    reader.read(91, *pages)
    assert reader.settled() == "evt_1"
