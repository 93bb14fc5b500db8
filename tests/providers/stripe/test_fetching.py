"""Fetching what no webhook delivered: events after a cursor, and an object's current state."""

from collections.abc import AsyncIterator, Sequence

import pytest

from domain.inputs import PaymentFact
from domain.status import ProviderStatus
from ports.provider import FetchedEvent, ProviderUnavailableError
from providers.stripe import client
from providers.stripe.client import StripeApi
from tests.providers.stripe.builders import PAYMENT, api_of, call, over_http, translator
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

DAY_S = 86_400


def all_event_ids(provider: Simulator) -> list[str]:
    """Returns all event IDs, oldest first, as the `stripe` package lists them."""
    listed = [event.id for event in provider.client.v1.events.list({"limit": 100}).data]
    return listed[::-1]


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
    assert len(events) == 15
    pages = await ids_per_page(api.events_after(events[2]))
    assert pages == [events[3:7], events[7:11], events[11:15]]


@pytest.mark.parametrize("newer", [1, 4, 5, 8])
async def test_the_last_page_may_be_full_or_not(
    api: StripeApi, provider: Simulator, newer: int
) -> None:
    """No event is missing, and no page is empty."""
    for _ in range(3):
        provider.pay()
    events = all_event_ids(provider)
    pages = await ids_per_page(api.events_after(events[-newer - 1]))
    assert all(pages)
    assert [event for page in pages for event in page] == events[-newer:]


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


async def test_events_during_the_fetch_are_included(api: StripeApi, provider: Simulator) -> None:
    """New events that occur while pages are read are part of the same fetch."""
    provider.pay()
    fetched: list[str] = []
    async for page in api.events_after(None):
        fetched += [event.webhook.event_id for event in page]
        if len(fetched) == 3:
            provider.pay()
    assert fetched == all_event_ids(provider)
    assert len(fetched) == 6


async def test_an_expired_cursor_is_the_same_as_none(api: StripeApi, provider: Simulator) -> None:
    """Stripe lists events for 30 days. Without the cursor's event, all are fetched again."""
    provider.pay()
    pages = await ids_per_page(api.events_after("evt_of_another_year"))
    assert [event for page in pages for event in page] == all_event_ids(provider)


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
    assert DAY_S <= fact.occurred_at.timestamp() - intent.created < DAY_S + 15
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
