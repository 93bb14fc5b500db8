"""PaymentIntents behave as Stripe's do."""

from typing import Any

import pytest
import stripe

from tests.simulator.harness import READ_API_KEY, Simulator

DECLINES = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
]


def test_a_confirmed_payment_succeeds(simulator: Simulator) -> None:
    """A create with confirm charges the card; charge and intent have the same metadata."""
    paid = simulator.pay(metadata={"payment_id": "p1"}, expand=["latest_charge"])
    assert (paid.status, paid.amount_received) == ("succeeded", 1000)
    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.paid, charge.captured, charge.amount_captured) == (True, True, 1000)
    assert charge.metadata.to_dict() == {"payment_id": "p1"}
    types = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    events = simulator.receiver.wait_for_types(*types)
    assert sorted(item.event["type"] for item in events) == sorted(types)


def test_created_then_confirmed_with_a_method(simulator: Simulator) -> None:
    """An intent without a method waits for one; confirm sets it and charges it."""
    intents = simulator.client.v1.payment_intents
    created = intents.create({"amount": 500, "currency": "usd"})
    assert created.status == "requires_payment_method"
    confirmed = intents.confirm(
        created.id, {"payment_method": "pm_card_mastercard", "return_url": "https://shop.test/"}
    )
    assert confirmed.status == "succeeded"
    assert intents.retrieve(created.id).status == "succeeded"


@pytest.mark.parametrize(("method", "code", "decline_code"), DECLINES)
def test_a_declined_card_is_reported(
    simulator: Simulator, method: str, code: str, decline_code: str | None
) -> None:
    """A decline returns 402 with the intent, which waits for another method and may succeed."""
    with pytest.raises(stripe.CardError) as refusal:
        simulator.pay(method)
    error = refusal.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (refusal.value.http_status, refusal.value.code) == (402, code)
    assert (error.type, error.decline_code) == ("card_error", decline_code)
    intent = simulator.client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.latest_charge) == ("requires_payment_method", error.charge)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    simulator.receiver.wait_for_types("charge.failed", "payment_intent.payment_failed")
    again = simulator.client.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert (again.status, again.last_payment_error) == ("succeeded", None)


def test_an_unknown_method_is_refused_before_anything_is_made(simulator: Simulator) -> None:
    """An unknown PaymentMethod is a 400, and no intent is created."""
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod: 'pm_none'") as it:
        simulator.pay("pm_none")
    assert (it.value.http_status, it.value.code) == (400, "resource_missing")
    assert simulator.read("objects")["payment_intents"] == []


def test_without_a_return_url_only_stripes_sdk_can_ask_the_customer(simulator: Simulator) -> None:
    """There is no page; the customer authenticates all the same."""
    waiting = simulator.pay("pm_card_threeDSecure2Required")
    assert waiting.next_action is not None
    assert waiting.next_action.type == "use_stripe_sdk"
    assert "redirect_to_url" not in waiting.next_action.to_dict()
    simulator.control(f"payment_intents/{waiting.id}/complete_action", {"outcome": "succeed"})
    assert simulator.client.v1.payment_intents.retrieve(waiting.id).status == "succeeded"


def test_a_restricted_key_reads_payment_intents_and_nothing_else(simulator: Simulator) -> None:
    """Everything else is a 403."""
    paid = simulator.pay()
    headers = {"Authorization": f"Bearer {READ_API_KEY}"}
    url = f"/v1/payment_intents/{paid.id}"
    assert simulator.http.get(url, headers=headers).json()["client_secret"] == paid.client_secret
    for method, other in (("POST", url), ("GET", "/v1/events"), ("POST", f"{url}/cancel")):
        assert simulator.http.request(method, other, headers=headers).status_code == 403


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_authentication_decides(simulator: Simulator, outcome: str) -> None:
    """After authentication the card is charged; otherwise the intent waits for another one."""
    waiting = simulator.pay("pm_card_threeDSecure2Required", return_url="https://shop.test/back")
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.redirect_to_url is not None
    page = str(waiting.next_action.redirect_to_url.url)
    assert "Complete authentication" in simulator.http.get(page).text
    sent_back = simulator.http.post(page, data={"outcome": outcome})
    assert sent_back.status_code == 303
    assert sent_back.headers["location"].startswith(
        f"https://shop.test/back?payment_intent={waiting.id}&"
    )
    after = simulator.client.v1.payment_intents.retrieve(waiting.id)
    if outcome == "succeed":
        assert (after.status, after.next_action) == ("succeeded", None)
    else:
        assert after.status == "requires_payment_method"
        assert after.last_payment_error is not None
        assert after.last_payment_error.code == "payment_intent_authentication_failure"


def test_a_card_may_be_declined_after_authentication(simulator: Simulator) -> None:
    """After a passed authentication the bank may still decline."""
    waiting = simulator.pay("pm_card_threeDSecureRequiredChargeDeclined")
    after = simulator.control(
        f"payment_intents/{waiting.id}/complete_action", {"outcome": "succeed"}
    )
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["decline_code"] == "generic_decline"


def test_off_session_authentication_is_a_decline(simulator: Simulator) -> None:
    """Off session, a card that requires authentication is declined."""
    with pytest.raises(stripe.CardError) as refusal:
        simulator.pay("pm_card_authenticationRequired", off_session=True)
    assert refusal.value.code == "authentication_required"


def test_capture_in_full(simulator: Simulator) -> None:
    """A manual intent is authorized first, and succeeds on capture."""
    held = simulator.pay(capture_method="manual")
    assert (held.status, held.amount_capturable) == ("requires_capture", 1000)
    simulator.receiver.wait_for_types("payment_intent.amount_capturable_updated")
    captured = simulator.client.v1.payment_intents.capture(held.id)
    assert (captured.status, captured.amount_received) == ("succeeded", 1000)
    assert captured.amount_capturable == 0
    simulator.receiver.wait_for_types("charge.captured", "payment_intent.succeeded")


def test_a_partial_capture_releases_the_rest(simulator: Simulator) -> None:
    """Since 2025-03-31 without a refund: what was captured can be refunded, and no more."""
    held = simulator.pay(capture_method="manual")
    captured = simulator.client.v1.payment_intents.capture(
        held.id, {"amount_to_capture": 700, "expand": ["latest_charge.refunds"]}
    )
    assert (captured.amount, captured.amount_received) == (1000, 700)
    charge = captured.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.amount_captured, charge.amount_refunded) == (700, 0)
    assert charge.refunds is not None
    assert charge.refunds.data == []
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client.v1.refunds.create({"payment_intent": held.id, "amount": 701})
    assert refusal.value.code == "amount_too_large"


def test_cancel_releases_an_authorization(simulator: Simulator) -> None:
    """Since 2025-03-31 without a refund."""
    held = simulator.pay(capture_method="manual")
    canceled = simulator.client.v1.payment_intents.cancel(
        held.id, {"cancellation_reason": "abandoned"}
    )
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    simulator.receiver.wait_for_types("payment_intent.canceled")
    refunds = simulator.client.v1.refunds.list({"payment_intent": held.id})
    assert refunds.data == []


@pytest.mark.parametrize("version", ["2023-10-16", "2024-10-28.acacia", "2025-02-24.acacia"])
def test_an_old_request_releases_by_a_refund(simulator: Simulator, version: str) -> None:
    """Before 2025-03-31, and every event about it has the form of the request's version."""
    old: stripe.RequestOptions = {"stripe_version": version}
    held = simulator.pay(capture_method="manual")
    params: Any = {"amount_to_capture": 700, "expand": ["latest_charge"]}
    captured = simulator.client.v1.payment_intents.capture(held.id, params, old)
    charge = captured.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.amount_captured, charge.amount_refunded) == (700, 300)
    (release,) = simulator.client.v1.refunds.list({"payment_intent": held.id}).data
    assert (release.amount, release.status, release.reason) == (300, "succeeded", None)
    expected = {"charge.refunded", "charge.refund.updated"}
    if version >= "2024-10-28":
        expected.add("refund.created")
    events = simulator.client.v1.events.list({"limit": 50}).data
    assert {e.type for e in events if e.api_version == version} == expected
    simulator.client.v1.refunds.create({"payment_intent": held.id, "amount": 700})
    with pytest.raises(stripe.InvalidRequestError):
        simulator.client.v1.refunds.create({"payment_intent": held.id, "amount": 1})


def _capture_too_much(client: stripe.StripeClient, held: str, _: str) -> Any:
    return client.v1.payment_intents.capture(held, {"amount_to_capture": 1001})


UNEXPECTED = "payment_intent_unexpected_state"
ILLEGAL: list[tuple[Any, str]] = [
    (lambda client, _, paid: client.v1.payment_intents.confirm(paid), UNEXPECTED),
    (lambda client, _, paid: client.v1.payment_intents.capture(paid), UNEXPECTED),
    (lambda client, _, paid: client.v1.payment_intents.cancel(paid), UNEXPECTED),
    (lambda client, held, _: client.v1.payment_intents.confirm(held), UNEXPECTED),
    (_capture_too_much, "amount_too_large"),
]


@pytest.mark.parametrize(("operation", "code"), ILLEGAL)
def test_an_operation_that_the_state_forbids_is_a_400(
    simulator: Simulator, operation: Any, code: str
) -> None:
    """It is refused with Stripe's code and changes nothing."""
    held, paid = simulator.pay(capture_method="manual"), simulator.pay()
    before = simulator.read("objects")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        operation(simulator.client, held.id, paid.id)
    assert (refusal.value.http_status, refusal.value.code) == (400, code)
    assert simulator.read("objects") == before


INVALID: list[tuple[dict[str, Any], str, str | None]] = [
    ({"amount": None}, "amount", "parameter_missing"),
    ({"currency": None}, "currency", "parameter_missing"),
    ({"amount": 0}, "amount", "parameter_invalid_integer"),
    ({"amount": 49}, "amount", "amount_too_small"),
    ({"amount": 1_000_000_000_000}, "amount", "amount_too_large"),
    ({"amount": 1501, "currency": "kwd"}, "amount", None),
    ({"amount": 150, "currency": "isk"}, "amount", None),
    ({"amount": "ten"}, "amount", "parameter_invalid_integer"),
    ({"currency": "xxx"}, "currency", None),
    ({"capture_method": "never"}, "capture_method", None),
    ({"amuont": 5}, "amuont", "parameter_unknown"),
    (
        {"payment_method_types": ["card"]},
        "payment_method_types",
        "payment_method_types_no_longer_supported",
    ),
    ({"automatic_payment_methods": {"enabled": True}}, "automatic_payment_methods", None),
    ({"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]", None),
    ({"confirm": True, "payment_method": None}, "payment_method", "parameter_missing"),
    ({"allowed_payment_method_types": None}, "return_url", None),
]


@pytest.mark.parametrize(("change", "param", "code"), INVALID)
def test_a_wrong_parameter_is_named(
    simulator: Simulator, change: dict[str, Any], param: str, code: str | None
) -> None:
    """A wrong parameter is a 400 that names it."""
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.pay(**{"payment_method": "pm_card_visa", **change})
    assert (refusal.value.http_status, refusal.value.param) == (400, param)
    assert refusal.value.code == code


def test_update_changes_descriptive_fields(simulator: Simulator) -> None:
    """Update merges metadata, removes empty values, and sets the description."""
    paid = simulator.pay(metadata={"a": "1", "b": "2"})
    changed = simulator.client.v1.payment_intents.update(
        paid.id, {"metadata": {"a": "", "c": "3"}, "description": "Order 7"}
    )
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert changed.description == "Order 7"


def test_a_list_is_paged_newest_first(simulator: Simulator) -> None:
    """A list has the newest first, reports whether there is more, and pages both ways."""
    made = [simulator.pay().id for _ in range(5)]
    intents = simulator.client.v1.payment_intents
    first = intents.list({"limit": 2})
    assert ([item.id for item in first.data], first.has_more) == (made[:2:-1], True)
    second = intents.list({"limit": 3, "starting_after": first.data[-1].id})
    assert ([item.id for item in second.data], second.has_more) == (made[2::-1], False)
    nearest = intents.list({"limit": 2, "ending_before": made[0]})
    assert ([item.id for item in nearest.data], nearest.has_more) == ([made[2], made[1]], True)
    assert [item.id for item in intents.list({"limit": 2}).auto_paging_iter()] == made[::-1]


def test_a_list_by_time(simulator: Simulator) -> None:
    """The created filter bounds a list by time."""
    old = simulator.pay()
    simulator.control("clock", {"advance_seconds": 100})
    new = simulator.pay()
    intents = simulator.client.v1.payment_intents
    later = intents.list({"created": {"gt": old.created}})
    assert [item.id for item in later.data] == [new.id]
    earlier = intents.list({"created": {"lte": old.created}})
    assert [item.id for item in earlier.data] == [old.id]


def test_charges_are_found_by_payment(simulator: Simulator) -> None:
    """Each attempt has its charge, and the list has only one payment's charges."""
    with pytest.raises(stripe.CardError) as refusal:
        simulator.pay("pm_card_chargeDeclined")
    error = refusal.value.error
    assert error is not None
    assert error.payment_intent is not None
    intent_id = error.payment_intent.id
    simulator.client.v1.payment_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    simulator.pay()
    charges = simulator.client.v1.charges.list({"payment_intent": intent_id})
    assert [charge.status for charge in charges.data] == ["succeeded", "failed"]
    assert simulator.client.v1.charges.retrieve(charges.data[0].id).payment_intent == intent_id


def test_an_unknown_object_is_a_404(simulator: Simulator) -> None:
    """An unknown ID is a 404 with resource_missing."""
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client.v1.payment_intents.retrieve("pi_none")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


@pytest.mark.parametrize("key", ["sk_test_other", ""])
def test_the_key_is_checked(simulator: Simulator, key: str) -> None:
    """Without the right key every response is a 401."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    assert simulator.http.get("/v1/events", headers=headers).status_code == 401


def test_the_key_may_be_a_user_name(simulator: Simulator) -> None:
    """Basic authentication with the key as user name works, as with curl -u."""
    response = simulator.http.get("/v1/events", auth=("sk_test_of_the_tests", ""))
    assert response.status_code == 200
    assert response.headers["request-id"].startswith("req_")


def test_an_authorization_can_be_raised(simulator: Simulator) -> None:
    """The new total is the intent's amount, and can be captured and refunded."""
    api = simulator.client.v1.payment_intents
    held = simulator.pay(capture_method="manual")
    simulator.receiver.wait_for_types("payment_intent.amount_capturable_updated")
    raised = api.increment_authorization(held.id, {"amount": 1500})
    assert (raised.amount, raised.amount_capturable) == (1500, 1500)
    with pytest.raises(stripe.InvalidRequestError):
        api.increment_authorization(held.id, {"amount": 1500})
    captured = api.capture(held.id)
    assert (captured.amount, captured.amount_received) == (1500, 1500)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.increment_authorization(held.id, {"amount": 2000})
    assert refusal.value.code == "payment_intent_unexpected_state"
    simulator.client.v1.refunds.create({"payment_intent": held.id, "amount": 1500})


def test_more_than_is_authorized_can_be_captured_elsewhere(simulator: Simulator) -> None:
    """The intent's amount is what was captured; the charge keeps what was authorized."""
    held = simulator.pay(capture_method="manual")
    simulator.control(f"payment_intents/{held.id}/capture", {"amount": 1200})
    intent = simulator.client.v1.payment_intents.retrieve(held.id, {"expand": ["latest_charge"]})
    assert (intent.amount, intent.amount_received, intent.amount_capturable) == (1200, 1200, 0)
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.amount_captured, charge.amount_refunded) == (1200, 0)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.amount_authorized == 1000
    simulator.client.v1.refunds.create({"payment_intent": held.id, "amount": 1200})
