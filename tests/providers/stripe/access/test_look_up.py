"""Looking up a call's outcome at the provider after its idempotency key may have expired."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.calls import ProviderCall
from ports.provider import Acknowledged, CallOutcome, Refused, Unknown
from providers.stripe.access import look_ups, reading
from providers.stripe.access.look_ups import CLOCK_SKEW, CREATED_EVENT
from providers.stripe.client import StripeApi
from schemas import identity
from tests.providers.stripe.builders import PAYMENT, REFUND, call, event, intent, over_http
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

DAY_S = 86_400
AUTHENTICATED = "pm_card_authenticationRequired"
DECLINED = "pm_card_chargeDeclined"


def now() -> datetime:
    """Returns the current time, as a call's first try."""
    return datetime.now(UTC)


async def acknowledged(api: StripeApi, provider_call: ProviderCall) -> str:
    """Makes a call, which must be acknowledged; returns the object's ID."""
    outcome = await api.call(provider_call, provider_call.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


async def lose_response(
    api: StripeApi, provider: Simulator, provider_call: ProviderCall
) -> datetime:
    """Makes a call, loses its response, and lets its key expire; returns the time of the try."""
    tried_at = now()
    provider.set_faults(reset_after=1.0)
    assert isinstance(await api.call(provider_call, provider_call.key), Unknown)
    provider.set_faults()
    provider.control("clock", {"advance_seconds": DAY_S + 60})
    return tried_at


@pytest.fixture
async def open_intent(api: StripeApi) -> str:
    """A payment intent whose first attempt was declined."""
    return await acknowledged(api, call("create", payment_method=DECLINED))


@pytest.fixture
async def authorized(api: StripeApi) -> str:
    """An authorized payment intent."""
    return await acknowledged(api, call("create", capture_method="manual"))


@pytest.mark.parametrize("method", ["pm_card_visa", AUTHENTICATED, DECLINED])
async def test_a_create_with_an_expired_key_is_found(
    api: StripeApi, provider: Simulator, method: str
) -> None:
    """The look-up finds the one object; a retry with the key would create a second."""
    provider_call = call("create", payment_method=method)
    tried_at = await lose_response(api, provider, provider_call)
    (intent,) = provider.read("objects")["payment_intents"]
    assert await api.look_up(provider_call, tried_at) == Acknowledged(intent["id"])
    assert len(provider.read("objects")["payment_intents"]) == 1
    assert await acknowledged(api, provider_call) != intent["id"]


async def test_a_create_that_never_happened_is_not_found(
    api: StripeApi, provider: Simulator
) -> None:
    """Payments with another payment ID or without metadata don't match."""
    await acknowledged(
        api, call("create", key="k1", payment_id=identity.payment_id("shop", "order-2"))
    )
    provider.pay()
    assert await api.look_up(call("create"), now()) is None


async def test_a_create_is_found_on_any_page(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pages of the list are read."""
    monkeypatch.setattr(reading, "PAGE", 2)
    monkeypatch.setattr(look_ups, "SEARCH_REQUESTS_MAX", 0)
    tried_at = now()
    object_id = await acknowledged(api, call("create"))
    for _ in range(4):
        provider.pay()
    assert await api.look_up(call("create"), tried_at) == Acknowledged(object_id)


@pytest.mark.parametrize(
    ("ahead", "found"),
    [(CLOCK_SKEW - timedelta(minutes=1), True), (CLOCK_SKEW + timedelta(minutes=1), False)],
)
async def test_a_clock_skew_is_tolerated(
    api: StripeApi, provider: Simulator, ahead: timedelta, *, found: bool
) -> None:
    """What was created before or after our tries is looked for within the allowed skew."""
    provider.set_faults(searched_late_s=DAY_S)
    await acknowledged(api, call("create"))
    assert (await api.look_up(call("create"), now() + ahead) is not None) is found
    # and one that was created after our last try
    long_before = now() - timedelta(seconds=DAY_S)
    assert (await api.look_up(call("create"), long_before, now() - ahead) is not None) is found


async def test_a_create_that_only_copies_our_id_is_not_found(
    api: StripeApi, provider: Simulator
) -> None:
    """Anyone with access may write our ID on other intents; only our own call's intent matches."""
    provider_call, since = call("create"), now() - timedelta(hours=1)
    for key in ("somebody", "somebody-else"):
        forged = await acknowledged(api, call("create", key=key))
        assert await api.look_up(provider_call, since) is None
    await lose_response(api, provider, provider_call)
    (expected,) = (
        listed.data.object["id"]
        for listed in provider.client.v1.events.list({"type": CREATED_EVENT}).data
        if listed.request is not None and listed.request.idempotency_key == provider_call.key
    )
    assert forged != expected
    provider.pay(metadata={"payment_id": PAYMENT})
    assert await api.look_up(provider_call, since) == Acknowledged(expected)


async def test_a_create_that_nothing_proves_is_unknown(api: StripeApi, provider: Simulator) -> None:
    """It may be ours or somebody's: it is neither taken nor made again until an event is listed."""
    provider_call, since = call("create"), now() - timedelta(hours=1)
    provider.set_faults(generation_failure=1.0)
    forged = await acknowledged(api, call("create", key="somebody"))
    outcome = await api.look_up(provider_call, since)
    assert isinstance(outcome, Unknown)
    assert outcome.is_available
    assert forged in outcome.reason
    provider.set_faults()
    made = await acknowledged(api, provider_call)
    assert await api.look_up(provider_call, since) == Acknowledged(made)


@pytest.mark.parametrize("searched_late_s", [0, DAY_S])
async def test_a_create_is_found_without_the_event_of_its_creation(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch, searched_late_s: int
) -> None:
    """Stripe never generates some events; the attempt's own event names our call, too."""
    provider.set_faults(searched_late_s=searched_late_s)
    made = await acknowledged(api, call("create"))
    monkeypatch.setattr(look_ups, "CREATED_EVENT", "payment_intent.partially_funded")
    assert await api.look_up(call("create"), now()) == Acknowledged(made)


async def test_a_create_is_found_without_our_id(api: StripeApi, provider: Simulator) -> None:
    """Anyone with access may overwrite our ID on our own intent: it must not be made again."""
    made = await acknowledged(api, call("create"))
    provider.client.v1.payment_intents.update(made, {"metadata": {"payment_id": "pay_other"}})
    assert await api.look_up(call("create"), now()) == Acknowledged(made)


async def test_an_event_without_keys_ascribes_a_create_to_nobody(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 2017-05-25, an event names its request by ID only; null is no call of ours."""
    whole = json.loads(event(CREATED_EVENT))
    lists: dict[str, list[dict[str, Any]]] = {"/v1/payment_intents": [intent()]}

    async def listed(path: str, **_: Any) -> Any:
        return {"data": lists.get(path, []), "has_more": False}, None

    monkeypatch.setattr(api._look_ups._readings, "_get", listed)
    lists["/v1/events"] = [{**whole, "request": "req_1"}]
    assert isinstance(await api.look_up(call("create"), now()), Unknown)
    lists["/v1/events"] = [{**whole, "request": None}]
    assert await api.look_up(call("create"), now()) is None


def with_old_events(api: StripeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe lists every event in the form before 2017-05-25: it names no key."""
    get = api._get  # the real one, whose result is changed

    async def listed(path: str, **query: Any) -> Any:
        page, when = await get(path, **query)
        if path == "/v1/events":
            page["data"] = [{**item, "request": "req_1"} for item in page["data"]]
        return page, when

    monkeypatch.setattr(api._look_ups._readings, "_get", listed)


async def test_the_only_refund_whose_event_names_no_key_is_taken(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for somebody else's it would be made a second time."""
    paid = await acknowledged(api, call("create"))
    provider_call, since = call("refund", paid), now()
    made = await acknowledged(api, provider_call)
    with_old_events(api, monkeypatch)
    assert await api.look_up(provider_call, since) == Acknowledged(made)


async def test_an_attempt_that_failed_without_naming_a_key_is_unknown(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the attempt that our call began: another one could charge the card twice."""
    declined = await acknowledged(api, call("create", payment_method=DECLINED))
    confirm = call("confirm", declined, payment_method=DECLINED)
    since = now()
    await acknowledged(api, confirm)
    assert await api.look_up(confirm, since) == Acknowledged(declined)
    with_old_events(api, monkeypatch)
    outcome = await api.look_up(confirm, since)
    assert isinstance(outcome, Unknown)
    assert outcome.is_available


async def test_a_refund_with_an_expired_key_is_found(api: StripeApi, provider: Simulator) -> None:
    """It is found by our refund ID among other refunds of the same payment."""
    paid = await acknowledged(api, call("create"))
    provider.control(f"payment_intents/{paid}/refund", {"amount": 100})
    other = identity.refund_id(PAYMENT, "refund-2")
    await acknowledged(api, call("refund", paid, key="k2", refund_id=other, amount=100))
    provider_call = call("refund", paid)
    assert await api.look_up(provider_call, now()) is None
    tried_at = await lose_response(api, provider, provider_call)
    (expected,) = (
        refund
        for refund in provider.read("objects")["refunds"]
        if refund["metadata"].get("refund_id") == REFUND
    )
    assert await api.look_up(provider_call, tried_at) == Acknowledged(expected["id"])


async def test_a_refund_that_only_copies_our_id_is_not_found(
    api: StripeApi, provider: Simulator
) -> None:
    """Anyone with access may copy our ID to other refunds; only our own call's refund matches."""
    paid = await acknowledged(api, call("create"))
    provider_call = call("refund", paid)
    await acknowledged(api, call("refund", paid, key="somebody", amount=100))
    assert await api.look_up(provider_call, now() - timedelta(hours=1)) is None
    forged = await acknowledged(api, call("refund", paid, key="somebody-else"))
    assert await api.look_up(provider_call, now() - timedelta(hours=1)) is None
    tried_at = await lose_response(api, provider, provider_call)
    (expected,) = (
        refund["id"]
        for refund in provider.read("objects")["refunds"]
        if refund["amount"] == 400 and refund["id"] != forged
    )
    assert await api.look_up(provider_call, tried_at) == Acknowledged(expected)


async def test_a_refund_of_no_time_of_our_call_is_not_found(
    api: StripeApi, provider: Simulator
) -> None:
    """Someone may have guessed our ID, or copied it later. Of our time, it may be ours."""
    paid = await acknowledged(api, call("create"))
    provider.set_faults(generation_failure=1.0)
    unlisted = await acknowledged(api, call("refund", paid, key="somebody"))
    beyond = CLOCK_SKEW + timedelta(minutes=1)
    assert await api.look_up(call("refund", paid), now() + beyond) is None
    assert await api.look_up(call("refund", paid), now() - 2 * beyond, now() - beyond) is None
    found = await api.look_up(call("refund", paid), now() - beyond, now())
    assert found == Acknowledged(unlisted)


async def test_a_refund_of_another_payment_is_not_found(api: StripeApi) -> None:
    """The same refund ID on another payment doesn't match."""
    first, second = [await acknowledged(api, call("create", key=f"k{number}")) for number in (1, 2)]
    await acknowledged(api, call("refund", first))
    assert await api.look_up(call("refund", second), now()) is None


@pytest.mark.parametrize("method", ["pm_card_visa", AUTHENTICATED, DECLINED])
async def test_a_confirm_that_happened_is_found(
    api: StripeApi, provider: Simulator, open_intent: str, method: str
) -> None:
    """A declined confirm leaves the payment intent unchanged and is found by its event."""
    provider_call = call("confirm", open_intent, payment_method=method)
    assert await api.look_up(provider_call, now()) is None
    tried_at = await lose_response(api, provider, provider_call)
    assert await api.look_up(provider_call, tried_at) == Acknowledged(open_intent)


async def test_a_confirm_with_failed_authentication_is_found(
    api: StripeApi, provider: Simulator, open_intent: str
) -> None:
    """The customer failed the authentication, but the call itself happened."""
    provider_call = call("confirm", open_intent, payment_method=AUTHENTICATED)
    tried_at = await lose_response(api, provider, provider_call)
    provider.control(f"payment_intents/{open_intent}/complete_action", {"outcome": "fail"})
    assert await api.look_up(provider_call, tried_at) == Acknowledged(open_intent)


@pytest.mark.parametrize(
    ("generation", "found"), [("", True), (".1", True), ("0", False), (":1", False)]
)
async def test_a_confirm_is_found_by_any_generation_of_its_key(
    api: StripeApi, open_intent: str, generation: str, *, found: bool
) -> None:
    """A key that only has the same prefix belongs to another call."""
    provider_call, tried_at = call("confirm", open_intent, payment_method=DECLINED), now()
    await api.call(provider_call, f"{provider_call.key}{generation}")
    assert (await api.look_up(provider_call, tried_at) is not None) is found


async def _outcome(api: StripeApi, operation: str, object_id: str) -> CallOutcome | None:
    return await api.look_up(call(operation, object_id), now())


async def test_an_authorized_object_is_neither_captured_nor_cancelled(
    api: StripeApi, authorized: str
) -> None:
    """The look-ups of both calls find nothing."""
    assert await _outcome(api, "capture", authorized) is None
    assert await _outcome(api, "cancel", authorized) is None


async def test_a_captured_object_settles_capture_and_cancel(
    api: StripeApi, authorized: str
) -> None:
    """It can't be cancelled any more, so a cancel is refused."""
    await acknowledged(api, call("capture", authorized))
    assert await _outcome(api, "capture", authorized) == Acknowledged(authorized)
    cancelled = await _outcome(api, "cancel", authorized)
    assert isinstance(cancelled, Refused)
    assert cancelled.code == "already_captured"


async def test_a_cancelled_object_acknowledges_only_a_cancel(
    api: StripeApi, authorized: str
) -> None:
    """Capture and confirm are refused."""
    await acknowledged(api, call("cancel", authorized))
    assert await _outcome(api, "cancel", authorized) == Acknowledged(authorized)
    for operation in ("capture", "confirm"):
        outcome = await _outcome(api, operation, authorized)
        assert isinstance(outcome, Refused)
        assert outcome.code == "canceled"


async def test_a_call_with_a_replayed_500_is_found(api: StripeApi, provider: Simulator) -> None:
    """The key returns a 500 for a day, but the object shows that the call happened."""
    provider.set_faults(error_500_after=1.0)
    provider_call, tried_at = call("create"), now()
    await api.call(provider_call, provider_call.key)
    provider.set_faults()
    again = await api.call(provider_call, provider_call.key)
    assert isinstance(again, Unknown)
    assert again.repeats
    (intent,) = provider.read("objects")["payment_intents"]
    assert await api.look_up(provider_call, tried_at) == Acknowledged(intent["id"])


async def test_a_cancel_that_no_event_names_stays_unknown(
    api: StripeApi, provider: Simulator, authorized: str
) -> None:
    """The event may be listed later; only it says whether our own cancel ended the payment."""
    key, since = f"{PAYMENT}:cancel:exhausted", now() - timedelta(hours=1)
    called = call("cancel", authorized, key=key)
    provider.set_faults(generation_failure=1.0)
    assert await acknowledged(api, called) == authorized
    provider.set_faults()
    outcome = await api.look_up(called, since)
    assert isinstance(outcome, Unknown)
    assert outcome.is_available


async def test_the_cancel_of_another_payment_says_nothing_about_this_one(
    api: StripeApi, provider: Simulator, authorized: str
) -> None:
    """The list has the cancels of all payments, the newest first; only this one's counts."""
    key, since = f"{PAYMENT}:cancel:exhausted", now() - timedelta(hours=1)
    other = await acknowledged(api, call("create", key="k-other", capture_method="manual"))
    called = call("cancel", authorized, key=key)
    assert await acknowledged(api, called) == authorized
    provider.client.v1.payment_intents.cancel(other)
    assert await api.look_up(called, since) == Acknowledged(authorized)
