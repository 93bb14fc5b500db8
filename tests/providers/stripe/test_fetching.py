"""What was never delivered is fetched: events from a cursor on, and an object as it is now."""

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


def happened(provider: Simulator) -> list[str]:
    """The IDs of all events, oldest first, as the `stripe` package lists them."""
    listed = [event.id for event in provider.client.v1.events.list({"limit": 100}).data]
    return listed[::-1]


async def read(pages: AsyncIterator[Sequence[FetchedEvent]]) -> list[list[str]]:
    """The event IDs of every page."""
    return [[event.webhook.event_id for event in page] async for page in pages]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four to a page, so that a few payments fill several."""
    monkeypatch.setattr(client, "PAGE", 4)


async def test_events_after_a_cursor_come_oldest_first(api: StripeApi, provider: Simulator) -> None:
    """Page by page to the newest, without the cursor itself; each once."""
    for _ in range(5):
        provider.pay()
    events = happened(provider)
    assert len(events) == 15
    pages = await read(api.events_after(events[2]))
    assert pages == [events[3:7], events[7:11], events[11:15]]


@pytest.mark.parametrize("newer", [1, 4, 5, 8])
async def test_the_last_page_may_be_full_or_not(
    api: StripeApi, provider: Simulator, newer: int
) -> None:
    """Nothing is missing, and no page is empty."""
    for _ in range(3):
        provider.pay()
    events = happened(provider)
    pages = await read(api.events_after(events[-newer - 1]))
    assert all(pages)
    assert [event for page in pages for event in page] == events[-newer:]


async def test_after_the_newest_there_is_nothing(api: StripeApi, provider: Simulator) -> None:
    """No page at all."""
    provider.pay()
    assert await read(api.events_after(happened(provider)[-1])) == []


async def test_without_a_cursor_everything_is_told(api: StripeApi, provider: Simulator) -> None:
    """All that is listed still, oldest first."""
    assert await read(api.events_after(None)) == []
    for _ in range(3):
        provider.pay()
    pages = await read(api.events_after(None))
    assert [event for page in pages for event in page] == happened(provider)


async def test_what_happens_meanwhile_is_told_too(api: StripeApi, provider: Simulator) -> None:
    """Events that come up while pages are read are not left for the next round."""
    provider.pay()
    seen: list[str] = []
    async for page in api.events_after(None):
        seen += [event.webhook.event_id for event in page]
        if len(seen) == 3:
            provider.pay()
    assert seen == happened(provider)
    assert len(seen) == 6


async def test_a_cursor_that_is_listed_no_more_is_as_good_as_none(
    api: StripeApi, provider: Simulator
) -> None:
    """After 30 quiet days the cursor is gone; the events are fetched again from the first."""
    provider.pay()
    pages = await read(api.events_after("evt_of_another_year"))
    assert [event for page in pages for event in page] == happened(provider)


async def test_a_fetched_event_is_what_its_webhook_would_have_been(
    api: StripeApi, provider: Simulator
) -> None:
    """The same ID, type, object and payment ID, and a body that translates."""
    outcome = await api.call(call("create"), "key-1")
    (page,) = [page async for page in api.events_after(None)]
    last = page[-1]
    assert last.webhook.event_id == happened(provider)[-1]
    assert last.webhook.payment_id == PAYMENT
    assert getattr(outcome, "object_id", None) == last.webhook.object_id
    translated = translator().translate(last.body)
    assert translated.kind == "payment_intent.succeeded"
    fact = translated.fact
    assert isinstance(fact, PaymentFact)
    assert (fact.event_id, fact.caused_by) == (last.webhook.event_id, "key-1")


async def test_an_object_is_told_as_it_is_now(api: StripeApi, provider: Simulator) -> None:
    """As an event of its own type, with our payment ID, at the provider's time."""
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


async def test_an_unchanged_object_tells_nothing_twice(api: StripeApi, provider: Simulator) -> None:
    """The event ID is made of the content: the second look is known, a change is not."""
    held = provider.pay(capture_method="manual")
    first = await api.retrieve(held.id)
    provider.control("clock", {"advance_seconds": 60})
    second = await api.retrieve(held.id)
    assert first.webhook.event_id == second.webhook.event_id
    provider.client.v1.payment_intents.capture(held.id)
    third = await api.retrieve(held.id)
    assert third.webhook.event_id != first.webhook.event_id
    other = provider.pay(capture_method="manual")
    assert (await api.retrieve(other.id)).webhook.event_id != first.webhook.event_id


async def test_an_object_that_is_not_there_cannot_be_told(api: StripeApi) -> None:
    """The error names what was asked and Stripe's code."""
    with pytest.raises(ProviderUnavailableError, match=r"pi_none.*resource_missing"):
        await api.retrieve("pi_none")


@pytest.mark.parametrize("fault", ["reset_before", "error_500_before", "rate_limit_429"])
async def test_a_provider_that_fails_is_unavailable(
    api: StripeApi, provider: Simulator, fault: str
) -> None:
    """Not an empty list: nothing is taken for read that was not."""
    provider.pay()
    provider.set_faults(**{fault: 1.0})
    with pytest.raises(ProviderUnavailableError):
        await read(api.events_after(None))
    with pytest.raises(ProviderUnavailableError):
        await api.retrieve("pi_1")


async def test_a_wrong_api_key_is_unavailable(provider: Simulator) -> None:
    """For an operator to see, at every sweep."""
    async with api_of(provider.base_url, key="sk_test_of_another") as stranger:
        with pytest.raises(ProviderUnavailableError, match="AuthenticationError"):
            await read(stranger.events_after(None))
