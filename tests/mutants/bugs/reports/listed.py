"""Bugs of the reading of event lists that are late, in part or as a whole."""

from typing import Final

from tests.mutants.planted import Bug

_LISTED: Final = "tests/processor/worker/sweeps/test_listed_events.py::test_{}"
_EVENT_LIST: Final = "tests/processor/worker/sweeps/test_event_list.py::test_{}"
_FETCHING: Final = "tests/providers/stripe/test_fetching.py::test_{}"

BUGS: Final = (
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "if self._settled_until is None or event.at > self._settled_until:",
        "if False:",
        "an event that the list has late is lost if its webhook is",
        (_EVENT_LIST.format("an_event_that_the_list_has_late_is_published"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "or event.at > self._settled_until",
        "or event.at > max(at for e in page if (at := e.at)) - self._settles",
        "an event that appears during a long reading is lost if its webhook is",
        (_LISTED.format("a_reading_settles_nothing_by_what_it_reads_itself"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "and event.at <= now",
        "",
        "one event with a time in the future settles all others, and what comes later is lost",
        (_LISTED.format("a_time_in_the_future_proves_nothing"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "if event.at is None or self._is_past: continue",
        "if event.at is None:\n"
        "                settled, last = number, ListCursor(event.webhook.event_id, None)\n"
        "                continue\n"
        "            if self._is_past:\n"
        "                continue",
        "an event without a readable time hides what appears before it later",
        (_LISTED.format("an_event_without_a_time_settles_nothing"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.begin",
        "- CLOCK_SKEW",
        "",
        "with a clock that is minutes ahead, a new leader loses what is listed late",
        (_LISTED.format("the_first_reading_settles_only_what_is_old_by_our_clock"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.begin",
        "self._is_past = False",
        "pass",
        "the cursor never moves again: each reading is longer than the last one",
        (_LISTED.format("an_event_settles_once_an_earlier_reading_met_a_much_later_one"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.begin",
        "self._known |= self._met",
        "self._known = self._known",
        "what an interrupted reading has published is published again",
        (_LISTED.format("an_interrupted_reading_settles_nothing_that_was_not_read"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "for event in page[settled:]:",
        "for event in page:",
        "the memory grows by every event that there ever was",
        (_LISTED.format("only_what_has_not_settled_is_remembered"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents._remember",
        "if len(self._known) + len(self._met) < EVENTS_MAX:",
        "if True:",
        "a late list fills the memory",
        (_LISTED.format("more_events_than_are_remembered_are_not_all_published_again"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.end",
        "self._known = self._met",
        "self._known |= self._met",
        "deleted test data is remembered for ever",
        (_LISTED.format("what_is_not_listed_any_more_is_forgotten"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.end",
        "self.complete_until = self._settled_until",
        "self.complete_until = self._newest",
        "of a new account, what appears late is lost",
        (_LISTED.format("what_a_reading_knows_to_be_complete_needs_no_cursor"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.event_list:EventListSweep._start",
        "return None, self._listed.complete_until",
        "return None, None",
        "a new account's list is searched for its first event in every round",
        (_EVENT_LIST.format("a_list_of_which_nothing_has_settled_is_not_read_from_its_beginning"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.event_list:EventListSweep._start",
        "stored.event_id if stored == self._own else None",
        "stored.event_id",
        "a release that asks for other types may never read an event again",
        (_EVENT_LIST.format("another_process_reads_from_the_time_of_the_cursor_on"),),
        servers=True,
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi.events_after",
        "self._back_to_oldest(since)",
        "self._back_to_oldest(None)",
        "where the cursor is refused, all events of 30 days are published again",
        (_FETCHING.format("a_refused_cursor_is_replaced_by_its_time"),),
        servers=True,
    ),
    Bug(
        "providers",
        "providers.stripe.client:_kind_of",
        "RefusedError if is_refused else ProviderUnavailableError",
        "ProviderUnavailableError",
        "a cursor that Stripe refuses for another reason ends the reading for good",
        (_FETCHING.format("a_refused_cursor_is_replaced_by_its_time"),),
        servers=True,
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi._back_to_oldest",
        "page = await self._page_between(earliest, earliest)\n",
        "page = await self._page_between(earliest + 1, None)\n",
        "of a second with more events than a page has, none is read",
        (_FETCHING.format("more_events_in_a_second_than_a_page_has_are_all_fetched"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:WRITE_CURSOR",
        "happened_at = excluded.happened_at",
        "happened_at = cursors.happened_at",
        "after a restart the list is read from where it began long ago",
        (_EVENT_LIST.format("another_process_reads_from_the_time_of_the_cursor_on"),),
        servers=True,
    ),
    Bug(
        "providers",
        "providers.examplepay.client:ExamplePayApi.events_after",
        'page = await self._get("/events", EventPage, limit=PAGE, since=start)',
        'page = await self._get("/events", EventPage, limit=PAGE)',
        "where the cursor is gone, every event that there ever was is published again",
        ("tests/conformance/test_fetching.py::test_a_time_returns_the_events_from_it_on",),
        servers=True,
    ),
)
