"""Scenarios that make the simulator send every kind of response and webhook it can send."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import stripe

from tests.simulator.harness import Simulator

BACK: Final = "https://shop.example/back"
DAY_S: Final = 86_400
#: An account that is connected to the simulator's default one.
CONNECTED: Final = "acct_connected"


@contextmanager
def refused() -> Iterator[None]:
    """Expects the block to raise Stripe's error."""
    with pytest.raises(stripe.StripeError):
        yield


def paid_and_read(simulator: Simulator) -> None:
    """A payment is read through every operation that reads."""
    api = simulator.client.v1
    paid = simulator.pay(metadata={"order": "7"}, description="Order 7")
    assert isinstance(paid.latest_charge, str)
    api.payment_intents.retrieve(paid.id)
    api.payment_intents.retrieve(paid.id, {"expand": ["latest_charge.refunds", "payment_method"]})
    api.payment_intents.list({"limit": 1})
    api.payment_intents.search({"query": "metadata['order']:'7'"})
    api.charges.retrieve(paid.latest_charge, {"expand": ["payment_intent"]})
    api.charges.retrieve(paid.latest_charge)
    api.charges.list({"payment_intent": paid.id})
    api.events.retrieve(api.events.list().data[0].id)


def paid_in_steps(simulator: Simulator) -> None:
    """A payment is created without a payment method, gets one, and is confirmed."""
    api = simulator.client.v1.payment_intents
    bare = api.create({"amount": 1000, "currency": "eur", "allowed_payment_method_types": ["card"]})
    api.update(bare.id, {"payment_method": "pm_card_mastercard", "metadata": {"order": "8"}})
    api.confirm(bare.id)
    simulator.pay(allowed_payment_method_types=None, return_url=BACK)


def captured_and_voided(simulator: Simulator) -> None:
    """Authorizations are partly captured, cancelled, and left to expire."""
    api = simulator.client.v1.payment_intents
    authorized = [simulator.pay(capture_method="manual").id for _ in range(3)]
    api.capture(authorized[0], {"amount_to_capture": 400})
    api.cancel(authorized[1], {"cancellation_reason": "requested_by_customer"})
    simulator.control("clock", {"advance_seconds": 8 * DAY_S})
    assert api.retrieve(authorized[2]).status == "canceled"


def amounts_raised(simulator: Simulator) -> None:
    """An authorization is raised and captured; of another, more than is authorized is captured."""
    api = simulator.client.v1.payment_intents
    raised, exceeded = (simulator.pay(capture_method="manual").id for _ in range(2))
    api.increment_authorization(raised, {"amount": 1500})
    with refused():
        api.increment_authorization(raised, {"amount": 1500})
    api.capture(raised)
    simulator.control(f"payment_intents/{exceeded}/capture", {"amount": 1200})
    assert api.retrieve(exceeded).amount == 1200
    simulator.client.v1.refunds.create({"payment_intent": exceeded, "amount": 1200})


def declined(simulator: Simulator) -> None:
    """Cards are declined for two reasons; the intent is then paid with another card."""
    for method in ("pm_card_chargeDeclinedExpiredCard", "pm_card_chargeDeclinedInsufficientFunds"):
        with refused():
            simulator.pay(method)
    waiting = simulator.client.v1.payment_intents.list({"limit": 1}).data[0]
    assert waiting.status == "requires_payment_method"
    simulator.client.v1.payment_intents.confirm(waiting.id, {"payment_method": "pm_card_visa"})


def authenticated(simulator: Simulator) -> None:
    """Customer authentication succeeds, fails, or is impossible because the customer is absent."""
    for outcome in ("succeed", "fail"):
        intent = simulator.pay("pm_card_authenticationRequired", return_url=BACK)
        simulator.control(f"payment_intents/{intent.id}/complete_action", {"outcome": outcome})
    with refused():
        simulator.pay("pm_card_authenticationRequired", off_session=True)


def refunded(simulator: Simulator) -> None:
    """Refunds succeed, stay pending, fail, and are cancelled."""
    api = simulator.client.v1.refunds
    for method in ("pm_card_visa", "pm_card_pendingRefund", "pm_card_refundFail"):
        intent = simulator.pay(method).id
        api.create({"payment_intent": intent, "amount": 300, "reason": "duplicate"})
    simulator.control("clock", {"advance_seconds": 1})
    refund = api.create({"payment_intent": simulator.pay().id, "metadata": {"refund_id": "r"}})
    simulator.control(f"refunds/{refund.id}/settle", {"status": "requires_action"})
    api.retrieve(refund.id, {"expand": ["charge", "payment_intent"]})
    api.update(refund.id, {"metadata": {"refund_id": "s"}})
    api.cancel(refund.id)
    api.list({"limit": 100})


def disputed(simulator: Simulator) -> None:
    """Disputes and inquiries reach every final status, and one has its money withdrawn later."""
    api = simulator.client.v1.disputes
    simulator.pay("pm_card_createDispute")
    simulator.control("clock", {"advance_seconds": 1})
    courses = [("", "won"), ("", "lost"), ("", "prevented"), ("warning_", "warning_closed")]
    for kind, end in courses:
        intent = simulator.pay().id
        opened = {"status": f"{kind}needs_response"}
        dispute = simulator.control(f"payment_intents/{intent}/dispute", opened)["id"]
        simulator.control(f"disputes/{dispute}/update", {"status": f"{kind}under_review"})
        simulator.control(f"disputes/{dispute}/close", {"status": end})
    simulator.control(f"disputes/{dispute}/withdraw")
    api.retrieve(dispute, {"expand": ["charge"]})
    api.retrieve(dispute)
    api.list({"limit": 100})


def disputed_abroad_and_appealed(simulator: Simulator) -> None:
    """Money moves on a balance in USD and is corrected; a loss is appealed; an inquiry is back."""
    api = simulator.client.v1.disputes
    intent = simulator.pay(currency="jpy", amount=10_000).id
    settled = {"settlement": {"currency": "usd", "rate": 0.668}}
    dispute = simulator.control(f"payment_intents/{intent}/dispute", settled)["id"]
    simulator.control(f"disputes/{dispute}/adjust", {"amount": 12})
    simulator.control(f"disputes/{dispute}/close", {"status": "lost"})
    for status in ("appeal_needs_response", "appeal_under_review"):
        simulator.control(f"disputes/{dispute}/update", {"status": status})
    api.retrieve(dispute)
    simulator.control(f"disputes/{dispute}/close", {"status": "won"})
    api.retrieve(dispute)
    intent = simulator.pay().id
    opened = {"status": "warning_needs_response"}
    inquiry = simulator.control(f"payment_intents/{intent}/dispute", opened)["id"]
    simulator.control(f"disputes/{inquiry}/close", {"status": "warning_closed"})
    simulator.control(f"disputes/{inquiry}/update", {"status": "needs_response"})
    api.retrieve(inquiry)


def warned_of_fraud(simulator: Simulator) -> None:
    """Banks warn of fraud; a refund and a dispute leave nothing to be done about it."""
    api = simulator.client.v1.radar.early_fraud_warnings
    simulator.pay("pm_card_createIssuerFraudRecord")
    simulator.control("clock", {"advance_seconds": 1})
    refunded, disputed = simulator.pay().id, simulator.pay().id
    for intent in (refunded, disputed):
        simulator.control(f"payment_intents/{intent}/fraud_warning", {"fraud_type": "misc"})
    simulator.client.v1.refunds.create({"payment_intent": refunded})
    simulator.control(f"payment_intents/{disputed}/dispute")
    listed = api.list({"payment_intent": refunded}).data
    assert [warning.actionable for warning in listed] == [False]
    api.retrieve(listed[0].id)
    api.retrieve(listed[0].id, {"expand": ["charge"]})


def endpoint_managed(simulator: Simulator) -> None:
    """A webhook endpoint is created, updated and deleted."""
    api = simulator.client.v1.webhook_endpoints
    made = api.create({"url": "https://shop.example/hook", "enabled_events": ["charge.captured"]})
    api.update(made.id, {"disabled": True, "description": "Not used", "metadata": {"a": "b"}})
    api.retrieve(made.id)
    api.list()
    api.delete(made.id)


def account_read(simulator: Simulator) -> None:
    """The account that a key is of."""
    simulator.client.v1.accounts.retrieve_current()


def paid_in_a_connected_account(simulator: Simulator) -> None:
    """A platform makes and reads a connected account's payment, its event and itself."""
    api, there = simulator.client.v1, {"stripe_account": CONNECTED}
    made = api.webhook_endpoints.create(
        {"url": "https://shop.example/hook", "enabled_events": ["*"], "connect": True}
    )
    api.webhook_endpoints.delete(made.id)
    paid = simulator.pay(options=there)
    api.payment_intents.retrieve(paid.id, None, {"stripe_account": CONNECTED})
    (event,) = api.events.list({"limit": 1}, {"stripe_account": CONNECTED})
    api.events.retrieve(event.id, None, {"stripe_account": CONNECTED})
    api.accounts.retrieve_current(None, {"stripe_account": CONNECTED})
    with refused():
        api.payment_intents.retrieve(paid.id)
    with refused():
        simulator.pay(options={"stripe_account": "acct_of_another_platform"})


def refused_in_every_way(simulator: Simulator) -> None:
    """Every error that Stripe's clients distinguish."""
    api = simulator.client.v1.payment_intents
    key = {"idempotency_key": "once"}
    paid = simulator.pay(options=key)
    wrong: list[dict[str, Any]] = [
        {"amuont": 1000},
        {"currency": "xxx"},
        {"method": "pm_none"},
        {"amount": 2000, "options": key},
        {"options": {"api_key": "sk_test_of_another"}},
    ]
    for each in wrong:
        with refused():
            simulator.pay(**each)
    with refused():
        api.retrieve("pi_none")
    with refused():
        api.cancel(paid.id)
    for fault in ("rate_limit_429", "error_500_before"):
        simulator.set_faults(**{fault: 1.0})
        with refused():
            simulator.pay()
    simulator.set_faults()


SCENARIOS: Final[tuple[Callable[[Simulator], None], ...]] = (
    paid_and_read,
    paid_in_steps,
    captured_and_voided,
    amounts_raised,
    declined,
    authenticated,
    refunded,
    disputed,
    disputed_abroad_and_appealed,
    warned_of_fraud,
    endpoint_managed,
    account_read,
    paid_in_a_connected_account,
    refused_in_every_way,
)
