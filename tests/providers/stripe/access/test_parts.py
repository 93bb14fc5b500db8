"""Fetching the parts of payment intents: refunds, disputes and fraud warnings as they are now."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from domain.inputs import DisputeFact, Fact, Foreign, FraudWarningFact, RefundFact
from domain.status import DisputeStatus, RefundStatus
from ports.provider import (
    FetchedEvent,
    NotPermittedError,
    PartPage,
    ProviderUnavailableError,
)
from providers.stripe import client
from providers.stripe.client import StripeApi
from providers.stripe.translate import LISTED_TYPES, OWN_TYPES
from tests.providers.stripe.builders import (
    PAYMENT,
    REFUND,
    api_of,
    call,
    over_http,
    refund,
    translator,
)
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

DAY_S = 86_400
BEFORE_ALL = datetime(2026, 1, 1, tzinfo=UTC)


async def read(pages: AsyncIterator[Sequence[FetchedEvent]]) -> list[FetchedEvent]:
    """Returns the events of all pages, none of which is empty."""
    found = [page async for page in pages]
    assert all(found)
    return [event for page in found for event in page]


async def made_since(client: StripeApi, at: datetime) -> list[FetchedEvent]:
    """The parts of every kind that were made since then; no page is empty."""
    found: list[FetchedEvent] = []
    for kind in client.part_kinds:
        async for page in client.parts_since(kind, at):
            assert page.parts
            found += page.parts
    return found


async def facts(pages: AsyncIterator[Sequence[FetchedEvent]]) -> list[Fact]:
    """Returns the facts of all pages, in the order of the pages."""
    return [translator().translate(event.body).fact for event in await read(pages)]


def disputed(provider: Simulator) -> str:
    """Returns a payment intent with a refund, a fraud warning, and a dispute that is lost."""
    paid = provider.pay(metadata={"payment_id": PAYMENT}).id
    provider.control(f"payment_intents/{paid}/refund", {"amount": 300})
    provider.control(f"payment_intents/{paid}/fraud_warning", {"fraud_type": "misc"})
    dispute = provider.control(f"payment_intents/{paid}/dispute")["id"]
    provider.control(f"disputes/{dispute}/close", {"status": "lost"})
    return paid


async def test_the_parts_of_a_payment_are_fetched_in_their_present_state(
    api: StripeApi, provider: Simulator
) -> None:
    """Each is a fact like that of its last webhook, but names no call."""
    paid = disputed(provider)
    disputed(provider)
    dispute, warning, returned = await facts(api.parts_of(paid))
    assert isinstance(returned, RefundFact)
    assert (returned.object_id, returned.status) == (paid, RefundStatus.SUCCEEDED)
    assert (returned.amount, returned.caused_by, returned.claims) == (300, None, None)
    assert isinstance(dispute, DisputeFact)
    assert (dispute.object_id, dispute.status) == (paid, DisputeStatus.LOST)
    assert [(m.amount, m.currency) for m in dispute.movements] == [(1000, "EUR")]
    assert isinstance(warning, FraudWarningFact)
    assert (warning.object_id, warning.actionable) == (paid, False)


async def test_a_part_names_its_payments_object(api: StripeApi, provider: Simulator) -> None:
    """The router finds the payment by it; a refund that we made has our IDs, as in its webhooks."""
    paid = disputed(provider)
    api_call = call("refund", paid, amount=100)
    later = provider.pay(metadata={"payment_id": PAYMENT}).id
    await api.call(call("refund", later, amount=100), api_call.key)
    assert {e.webhook.object_id for e in await read(api.parts_of(paid))} == {paid}
    (ours,) = await read(api.parts_of(later))
    assert (ours.webhook.object_id, ours.webhook.payment_id) == (later, PAYMENT)
    fact = translator().translate(ours.body).fact
    assert isinstance(fact, RefundFact)
    assert (fact.claims, fact.caused_by) == (REFUND, None)


async def test_an_unchanged_part_gives_the_same_event(api: StripeApi, provider: Simulator) -> None:
    """The event ID is made of the content, so what is fetched again is a duplicate."""
    paid = provider.pay().id
    provider.control(f"payment_intents/{paid}/dispute")
    (first,) = await read(api.parts_of(paid))
    provider.control("clock", {"advance_seconds": 60})
    (second,) = await read(api.parts_of(paid))
    (listed,) = await made_since(api, BEFORE_ALL)
    ids = {event.webhook.event_id for event in (first, second, listed)}
    assert ids == {first.webhook.event_id}
    (dispute,) = provider.read("objects")["disputes"]
    assert first.webhook.event_id.startswith(f"{dispute['id']}.")
    provider.control(f"disputes/{dispute['id']}/close", {"status": "won"})
    (third,) = await read(api.parts_of(paid))
    assert third.webhook.event_id != first.webhook.event_id


async def test_what_was_made_since_a_time_is_fetched(api: StripeApi, provider: Simulator) -> None:
    """Of every payment of the account, in pages; what is older is not asked for."""
    old = disputed(provider)
    (since,) = {each["created"] for each in provider.read("objects")["disputes"]}
    provider.control("clock", {"advance_seconds": DAY_S})
    new = [disputed(provider) for _ in range(3)]
    found = await made_since(api, datetime.fromtimestamp(since + 1000, UTC))
    assert sorted(e.webhook.object_id or "" for e in found) == sorted(3 * new)
    everything = await made_since(api, datetime.fromtimestamp(since - 1000, UTC))
    assert len(everything) == 12
    assert old in {e.webhook.object_id for e in everything}


async def test_a_page_has_a_hundred_parts(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a day's parts are one request for a hundred, of whichever payments."""
    for _ in range(5):
        paid = provider.pay().id
        provider.control(f"payment_intents/{paid}/refund", {"amount": 300})
    asked: list[dict[str, Any]] = []
    get = api._get

    async def counted(path: str, **params: Any) -> Any:
        asked.append({"path": path, **params})
        return await get(path, **params)

    monkeypatch.setattr(api, "_get", counted)
    assert len(await made_since(api, BEFORE_ALL)) == 5
    assert [each["limit"] for each in asked] == [100, 100, 100]
    monkeypatch.setattr(client, "PAGE", 2)
    asked.clear()
    pages = [page async for page in api.parts_since("refunds", BEFORE_ALL)]
    assert [len(page.parts) for page in pages] == [2, 2, 1]
    assert len({event.webhook.event_id for page in pages for event in page.parts}) == 5
    assert len(asked) == 3


async def test_a_list_goes_on_after_a_page_of_it(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one that Stripe does not have any more, it begins again."""
    monkeypatch.setattr(client, "PAGE", 2)
    paid = provider.pay().id
    for _ in range(5):
        provider.control(f"payment_intents/{paid}/refund", {"amount": 100})
    pages = [page async for page in api.parts_since("refunds", BEFORE_ALL)]
    for number, page in enumerate(pages):
        if page.after is not None:
            rest = [each async for each in api.parts_since("refunds", BEFORE_ALL, page.after)]
            assert ids(rest) == ids(pages[number + 1 :])
    assert [page.after is None for page in pages] == [False, False, True]
    again = [each async for each in api.parts_since("refunds", BEFORE_ALL, "re_deleted")]
    assert ids(again) == ids(pages)


def ids(pages: list[PartPage]) -> list[str]:
    """Their parts' event IDs, in the order of the pages."""
    return [part.webhook.event_id for page in pages for part in page.parts]


async def test_an_item_without_an_id_is_an_error_that_names_the_field(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is more after it. Asked for without one, the first page would come for ever."""
    monkeypatch.setattr(client, "PAGE", 1)
    paid = provider.pay().id
    for _ in range(2):
        provider.control(f"payment_intents/{paid}/refund", {"amount": 100})
    get = api._get

    async def changed(path: str, **params: Any) -> Any:
        page, when = await get(path, **params)
        return page | {"data": [{**item, "id": None} for item in page["data"]]}, when

    monkeypatch.setattr(api, "_get", changed)
    with pytest.raises(ProviderUnavailableError, match=r"GET /v1/refunds: .* no data\[\]\.id"):
        await read(api.parts_of(paid))


async def test_what_our_key_may_not_read_is_not_unavailable(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restricted key has a right for each list: without it, asking again is of no use."""

    async def refused(*_: Any, **__: Any) -> Any:
        raise stripe.PermissionError("no", http_status=403)

    monkeypatch.setattr(api, "_send", refused)
    with pytest.raises(NotPermittedError, match="GET /v1/disputes: PermissionError"):
        await anext(api.parts_since("disputes", BEFORE_ALL))


async def test_what_changes_while_the_response_is_on_its_way_is_later(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook of such a change must not lose to the state before it."""
    paid = provider.pay().id
    provider.control(f"payment_intents/{paid}/dispute")
    send, clock = api._send, iter(range(0, 100_000, 90))
    monkeypatch.setattr(client, "monotonic", lambda: float(next(clock)))

    async def slow(method: str, path: str, **params: Any) -> Any:
        data, _ = await send(method, path, **params)
        return data, {"Date": "Thu, 01 Jan 2026 00:01:30 GMT"}

    monkeypatch.setattr(api, "_send", slow)
    (event,) = await read(api.parts_of(paid))
    fact = translator().translate(event.body).fact
    assert isinstance(fact, DisputeFact)
    assert fact.occurred_at == event.at == BEFORE_ALL


async def test_the_time_is_stripes(api: StripeApi, provider: Simulator) -> None:
    """Our own clock may differ from that of the webhooks' times."""
    provider.control("clock", {"advance_seconds": DAY_S})
    paid = provider.pay().id
    provider.control(f"payment_intents/{paid}/dispute")
    (fact,) = await facts(api.parts_of(paid))
    assert isinstance(fact, DisputeFact)
    ahead = fact.occurred_at - datetime.now(UTC)
    assert timedelta(days=1) - ahead < timedelta(seconds=15)


async def test_a_fetched_refund_may_be_a_released_authorization(
    api: StripeApi, provider: Simulator
) -> None:
    """A request of an old version makes one, and the list does not say of which version it was."""
    provider.control("account", {"api_version": "2024-06-20"})
    held = provider.pay(capture_method="manual").id
    provider.client.v1.payment_intents.cancel(held, {}, {"stripe_version": "2024-06-20"})
    (fact,) = await facts(api.parts_of(held))
    assert isinstance(fact, RefundFact)
    assert (fact.amount, fact.may_be_release) == (1000, True)


async def test_a_payment_without_parts_has_no_page(api: StripeApi, provider: Simulator) -> None:
    """Nor has an object that Stripe does not know."""
    assert await read(api.parts_of(provider.pay().id)) == []
    assert await read(api.parts_of("pi_none")) == []


async def test_a_part_that_cannot_be_read_stops_no_other(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept, and names what can be read of it."""
    disputed(provider)
    get = api._get

    async def changed(path: str, **params: Any) -> Any:
        page, when = await get(path, **params)
        if path == "/v1/refunds":
            page["data"][0]["id"] = {"of": "another form"}
        return page, when

    monkeypatch.setattr(api, "_get", changed)
    *others, odd = await made_since(api, BEFORE_ALL)
    assert odd.webhook.event_id.startswith("unreadable.")
    assert len(others) == 2


@pytest.mark.parametrize("fault", ["reset_before", "error_500_before", "rate_limit_429"])
async def test_a_provider_that_fails_is_unavailable(
    api: StripeApi, provider: Simulator, fault: str
) -> None:
    """Nothing would look as if there were no parts."""
    paid = disputed(provider)
    provider.set_faults(**{fault: 1.0})
    with pytest.raises(ProviderUnavailableError):
        await read(api.parts_of(paid))
    with pytest.raises(ProviderUnavailableError):
        await made_since(api, BEFORE_ALL)


async def test_no_list_of_events_is_asked_for_what_we_made_ourselves() -> None:
    """Stripe refuses a type that it does not have."""
    assert not OWN_TYPES & set(LISTED_TYPES)


async def test_a_fetched_refund_is_of_the_mode_of_the_key(provider: Simulator) -> None:
    """A refund does not say its own, so without that it would have no effect."""
    paid = disputed(provider)
    async with api_of(provider.base_url, is_live=True) as live:
        *_, returned = await facts(live.parts_of(paid))
    assert "livemode" not in refund()
    assert isinstance(returned, Foreign)


async def test_a_kind_that_our_key_may_not_read_holds_no_other_up(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of the others come, and then the refusal."""
    paid, get = disputed(provider), api._get

    async def refusing(path: str, **params: Any) -> Any:
        if path == "/v1/disputes":
            raise NotPermittedError("no right")
        return await get(path, **params)

    monkeypatch.setattr(api, "_get", refusing)
    found: list[FetchedEvent] = []

    async def read_all() -> None:
        async for page in api.parts_of(paid):
            found.extend(page)

    with pytest.raises(NotPermittedError, match="no right"):
        await read_all()
    kinds = {type(translator().translate(event.body).fact) for event in found}
    assert kinds == {FraudWarningFact, RefundFact}
