"""Fetching what no webhook delivered: events after a cursor, and an object's current state."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.inputs import PaymentFact
from domain.status import ProviderStatus
from ports.provider import FetchedEvent, MissingError, ProviderUnavailableError
from providers.stripe import client
from providers.stripe.client import StripeApi
from providers.stripe.translate import LISTED_TYPES, TRANSLATORS
from tests.providers.stripe.builders import PAYMENT, api_of, call, over_http, translator
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

DAY_S = 86_400


def all_event_ids(provider: Simulator) -> list[str]:
    """Returns the IDs of all events with an effect, oldest first, as the `stripe` package lists."""
    listed = provider.client.v1.events.list({"limit": 100}).data
    return [event.id for event in reversed(listed) if event.type in TRANSLATORS]


async def ids_per_page(pages: AsyncIterator[Sequence[FetchedEvent]]) -> list[list[str]]:
    """Returns the event IDs of every page."""
    return [[event.webhook.event_id for event in page] async for page in pages]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the page size to 4, so that a few payments fill several pages."""
    monkeypatch.setattr(client, "PAGE", 4)


async def test_events_after_a_cursor_come_oldest_first(api: StripeApi, provider: Simulator) -> None:
    """Each event after the cursor comes once, in pages, without the cursor's own event."""
    for _ in range(5):
        provider.pay()
    events = all_event_ids(provider)
    assert len(events) == 10
    pages = await ids_per_page(api.events_after(events[0]))
    assert pages == [events[1:5], events[5:9], events[9:]]


@pytest.mark.parametrize("newer", [1, 4, 5, 8])
async def test_the_last_page_may_be_full_or_not(
    api: StripeApi, provider: Simulator, newer: int
) -> None:
    """No event is missing, and no page is empty."""
    for _ in range(5):
        provider.pay()
    events = all_event_ids(provider)
    pages = await ids_per_page(api.events_after(events[-newer - 1]))
    assert all(pages)
    assert [event for page in pages for event in page] == events[-newer:]


async def test_events_without_an_effect_are_not_asked_for(
    api: StripeApi, provider: Simulator
) -> None:
    """An account has others' events too, and one request can name at most 20 types."""
    provider.pay()
    (page,) = [page async for page in api.events_after(None)]
    kinds = [translator().translate(event.body).kind for event in page]
    assert kinds == ["payment_intent.created", "payment_intent.succeeded"]
    assert len(provider.client.v1.events.list({"limit": 100}).data) == 3
    assert len(LISTED_TYPES) <= 20


async def test_an_event_that_the_list_has_late_is_fetched_later(
    api: StripeApi, provider: Simulator
) -> None:
    """It appears between others. The time of each says how old it is."""
    provider.set_faults(listed_late=1.0, listed_late_s=(20.0, 20.0))
    provider.pay()
    provider.set_faults(listed_late=0.0)
    provider.pay()
    (early,) = await ids_per_page(api.events_after(None))
    provider.control("clock", {"advance_seconds": 21})
    (page,) = [page async for page in api.events_after(None)]
    assert early == [event.webhook.event_id for event in page][2:] == all_event_ids(provider)[2:]
    assert all(event.at is not None for event in page)


async def test_after_the_newest_there_is_nothing(api: StripeApi, provider: Simulator) -> None:
    """There is no page."""
    provider.pay()
    assert await ids_per_page(api.events_after(all_event_ids(provider)[-1])) == []


async def test_without_a_cursor_all_events_are_fetched(api: StripeApi, provider: Simulator) -> None:
    """All events that Stripe still lists come, oldest first."""
    assert await ids_per_page(api.events_after(None)) == []
    for _ in range(3):
        provider.pay()
    pages = await ids_per_page(api.events_after(None))
    assert [event for page in pages for event in page] == all_event_ids(provider)


async def test_a_long_list_is_fetched_page_by_page(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without a cursor: what lies days back is found at once, and no more is held."""
    for _ in range(3):
        provider.pay()
        provider.control("clock", {"advance_seconds": 3 * DAY_S})
    asked: list[dict[str, Any]] = []
    get = api._get

    async def counted(path: str, **params: Any) -> Any:
        asked.append(params)
        return await get(path, **params)

    monkeypatch.setattr(api, "_get", counted)
    pages = await ids_per_page(api.events_after(None))
    assert [event for page in pages for event in page] == all_event_ids(provider)
    assert max(map(len, pages)) <= 4
    assert len(asked) < 32


async def test_a_rate_limit_does_not_end_the_search_for_the_oldest_event(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search makes many requests; one that is refused now and then is made again."""
    monkeypatch.setattr(client, "SEARCH_PAUSE_S", 0.0)
    for _ in range(3):
        provider.pay()
        provider.control("clock", {"advance_seconds": DAY_S})
    get, asked = api._get, 0

    async def limited(path: str, **params: Any) -> Any:
        nonlocal asked
        asked += 1
        if "ending_before" not in params and asked % 2 == 0:
            raise ProviderUnavailableError("rate limit")
        return await get(path, **params)

    monkeypatch.setattr(api, "_get", limited)
    pages = await ids_per_page(api.events_after(None))
    assert [event for page in pages for event in page] == all_event_ids(provider)


async def test_events_during_the_fetch_are_included(api: StripeApi, provider: Simulator) -> None:
    """New events that occur while pages are read are part of the same fetch."""
    provider.pay()
    fetched: list[str] = []
    async for page in api.events_after(None):
        fetched += [event.webhook.event_id for event in page]
        if len(fetched) == 2:
            provider.pay()
    assert fetched == all_event_ids(provider)
    assert len(fetched) == 4


async def test_an_expired_cursor_is_the_same_as_none(api: StripeApi, provider: Simulator) -> None:
    """Stripe lists events for 30 days. Without the cursor's event, all are fetched again."""
    provider.pay()
    pages = await ids_per_page(api.events_after("evt_of_another_year"))
    assert [event for page in pages for event in page] == all_event_ids(provider)


@pytest.mark.parametrize("foreign_cursor", ["taken", "refused", "ends the list"])
async def test_a_cursor_of_a_type_that_is_not_asked_for_loses_no_event(
    api: StripeApi, provider: Simulator, foreign_cursor: str
) -> None:
    """A release may ask for other types. So another process begins at the cursor's time."""
    provider.pay()
    provider.control("clock", {"advance_seconds": DAY_S})
    (foreign,) = provider.client.v1.events.list({"limit": 1, "type": "charge.succeeded"}).data
    provider.pay()
    provider.set_faults(foreign_cursor=foreign_cursor)
    since = datetime.fromtimestamp(foreign.created, UTC)
    pages = await ids_per_page(api.events_after(None, since))
    assert [event for page in pages for event in page] == all_event_ids(provider)
    pages = await ids_per_page(api.events_after(None, since + timedelta(seconds=60)))
    assert [event for page in pages for event in page] == all_event_ids(provider)[2:]


async def test_a_refused_cursor_is_replaced_by_its_time(
    api: StripeApi, provider: Simulator
) -> None:
    """Whatever the reason, all since then comes."""
    provider.pay()
    provider.control("clock", {"advance_seconds": DAY_S})
    provider.pay()
    ids = all_event_ids(provider)
    provider.set_faults(foreign_cursor="refused")
    (foreign,) = provider.client.v1.events.list({"limit": 1, "type": "charge.succeeded"}).data
    since = datetime.fromtimestamp(foreign.created, UTC)
    pages = await ids_per_page(api.events_after(foreign.id, since))
    assert [event for page in pages for event in page] == ids[2:]


async def test_a_page_that_is_refused_is_not_the_lists_end(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after it would count as read, and be lost."""
    for _ in range(5):
        provider.pay()
    get = api._get

    async def refused(path: str, **params: Any) -> Any:
        if "ending_before" in params:
            raise MissingError(f"GET {path}: it was deleted meanwhile")
        return await get(path, **params)

    monkeypatch.setattr(api, "_get", refused)
    with pytest.raises(MissingError):
        await ids_per_page(api.events_after(None))


async def test_a_new_accounts_list_costs_two_requests(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read in every round, from its beginning, until an event of it has settled."""
    get, asked = api._get, 0

    async def counted(path: str, **params: Any) -> Any:
        nonlocal asked
        asked += 1
        return await get(path, **params)

    monkeypatch.setattr(api, "_get", counted)
    assert await ids_per_page(api.events_after(None)) == []
    assert asked == 1
    provider.pay()
    assert await ids_per_page(api.events_after(None)) == [all_event_ids(provider)]
    assert asked == 3


async def test_more_events_in_a_second_than_a_page_has_are_all_fetched(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no page of it to begin with."""
    for _ in range(4):
        provider.pay()
    get = api._get

    async def of_one_second(path: str, **params: Any) -> Any:
        page, named = await get(path, **{k: v for k, v in params.items() if k != "created"})
        created = {"gte": 0, "lte": 1000} | params.get("created", {})
        is_in = created["gte"] <= 1000 <= created["lte"]
        data = [event | {"created": 1000} for event in page["data"]] if is_in else []
        return page | {"data": data, "has_more": page["has_more"] and is_in}, named

    monkeypatch.setattr(api, "_get", of_one_second)
    pages = await ids_per_page(api.events_after(None))
    assert [event for page in pages for event in page] == all_event_ids(provider)


async def test_a_second_with_many_events_is_fetched_page_by_page(
    api: StripeApi, provider: Simulator
) -> None:
    """An import can make as many. No more than a page is ever held."""
    like = provider.pay().id
    events = len(all_event_ids(provider))
    provider.control("strangers", {"like": like, "payments": 20})
    pages = await ids_per_page(api.events_after(None))
    assert max(map(len, pages)) == client.PAGE
    found = [event for page in pages for event in page]
    assert len(found) == len(set(found)) == events * 21


async def test_a_fetched_event_equals_its_webhook(api: StripeApi, provider: Simulator) -> None:
    """It has the same ID, type, object and payment ID, and its body can be translated."""
    outcome = await api.call(call("create"), "key-1")
    (page,) = [page async for page in api.events_after(None)]
    last = page[-1]
    assert last.webhook.event_id == all_event_ids(provider)[-1]
    assert last.webhook.payment_id == PAYMENT
    assert getattr(outcome, "object_id", None) == last.webhook.object_id
    translated = translator().translate(last.body)
    assert translated.kind == "payment_intent.succeeded"
    fact = translated.fact
    assert isinstance(fact, PaymentFact)
    assert (fact.event_id, fact.caused_by) == (last.webhook.event_id, "key-1")


async def test_an_object_is_fetched_in_its_current_state(
    api: StripeApi, provider: Simulator
) -> None:
    """It becomes an event of our own type with our payment ID and the provider's time."""
    intent = provider.pay(metadata={"payment_id": PAYMENT})
    provider.control("clock", {"advance_seconds": DAY_S})
    fetched = await api.retrieve(intent.id)
    assert (fetched.webhook.object_id, fetched.webhook.payment_id) == (intent.id, PAYMENT)
    translated = translator().translate(fetched.body)
    assert translated.kind == "payment_intent.retrieved"
    fact = translated.fact
    assert isinstance(fact, PaymentFact)
    assert (fact.status, fact.captured) == (ProviderStatus.SUCCEEDED, 1000)
    # the time of the request, so perhaps a second earlier than that of the answer
    assert DAY_S - 1 <= fact.occurred_at.timestamp() - intent.created < DAY_S + 15
    assert fact.caused_by is None


async def test_an_unchanged_object_has_the_same_event_id(
    api: StripeApi, provider: Simulator
) -> None:
    """The event ID is derived from the content, so a second fetch is a duplicate."""
    authorized = provider.pay(capture_method="manual")
    first = await api.retrieve(authorized.id)
    provider.control("clock", {"advance_seconds": 60})
    second = await api.retrieve(authorized.id)
    assert first.webhook.event_id == second.webhook.event_id
    provider.client.v1.payment_intents.capture(authorized.id)
    third = await api.retrieve(authorized.id)
    assert third.webhook.event_id != first.webhook.event_id
    other = provider.pay(capture_method="manual")
    assert (await api.retrieve(other.id)).webhook.event_id != first.webhook.event_id


async def test_fetching_an_unknown_object_raises_an_error(api: StripeApi) -> None:
    """The error has the object's ID and Stripe's code."""
    with pytest.raises(ProviderUnavailableError, match=r"pi_none.*resource_missing"):
        await api.retrieve("pi_none")


@pytest.mark.parametrize("fault", ["reset_before", "error_500_before", "rate_limit_429"])
async def test_a_provider_that_fails_is_unavailable(
    api: StripeApi, provider: Simulator, fault: str
) -> None:
    """It raises an error; an empty result would look as if everything were read."""
    provider.pay()
    provider.set_faults(**{fault: 1.0})
    with pytest.raises(ProviderUnavailableError):
        await ids_per_page(api.events_after(None))
    with pytest.raises(ProviderUnavailableError):
        await api.retrieve("pi_1")


async def test_a_wrong_api_key_is_unavailable(provider: Simulator) -> None:
    """The error names the cause for operators."""
    async with api_of(provider.base_url, key="sk_test_of_another") as wrong_account:
        with pytest.raises(ProviderUnavailableError, match="AuthenticationError"):
            await ids_per_page(wrong_account.events_after(None))


def _without_data(event: dict[str, Any]) -> None:
    del event["data"]


def _cut(event: dict[str, Any]) -> None:
    event["data"]["object"]["description"] = "cut \ud83d"


@pytest.mark.parametrize(("change", "is_read"), [(_without_data, False), (_cut, True)])
async def test_an_odd_event_of_the_list_stops_no_other(
    api: StripeApi,
    provider: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], None],
    *,
    is_read: bool,
) -> None:
    """It keeps its ID, which the cursor and the operator need, and its bytes."""
    provider.pay()
    get = api._get

    async def changed(path: str, **params: Any) -> Any:
        page, named = await get(path, **params)
        for event in page.get("data", ())[:1]:  # the newest, at which the next fetch begins
            change(event)
        return page, named

    monkeypatch.setattr(api, "_get", changed)
    (page,) = [page async for page in api.events_after(None)]
    assert [event.webhook.event_id for event in page] == all_event_ids(provider)
    assert (page[-1].webhook.object_id is not None) is is_read
    assert page[-1].webhook.event_id.encode() in page[-1].body
    assert await ids_per_page(api.events_after(page[-1].webhook.event_id)) == []
