"""Translation of refunds and disputes: statuses, amounts and the direction of money."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.inputs import DisputeFact, FraudWarningFact, Movement, RefundFact, Unmodelled
from domain.status import DisputeStatus, MovementKind, RefundStatus
from ports.provider import MalformedWebhookError
from providers.stripe.disputes import APPEALS, DISPUTE_STATUS
from providers.stripe.refunds import REFUND_STATUS
from providers.stripe.translate import TRANSLATORS
from schemas import identity
from tests.providers.stripe.builders import (
    CREATED,
    INTENT,
    REFUND,
    dispute,
    event,
    fraud_warning,
    movement,
    refund,
    translator,
)

AT = datetime.fromtimestamp(CREATED, UTC)
REFUND_EVENTS = [kind for kind in TRANSLATORS if "refund" in kind and kind != "charge.refunded"]
DISPUTE_EVENTS = [kind for kind in TRANSLATORS if "dispute" in kind]
WARNING_EVENTS = [kind for kind in TRANSLATORS if "fraud_warning" in kind]


def _refund(kind: str = "refund.updated", **changes: Any) -> RefundFact:
    fact = translator().translate(event(kind, refund(**changes))).fact
    assert isinstance(fact, RefundFact)
    return fact


def _dispute(kind: str = "charge.dispute.updated", **changes: Any) -> DisputeFact:
    fact = translator().translate(event(kind, dispute(**changes))).fact
    assert isinstance(fact, DisputeFact)
    return fact


def test_every_type_of_event_that_affects_a_payment_is_translated() -> None:
    """This includes older types, because the account's API version decides which are sent."""
    intent = {
        *("created", "requires_action", "processing", "amount_capturable_updated"),
        *("payment_failed", "succeeded", "canceled", "retrieved"),
    }
    closing = {"created", "updated", "closed", "funds_withdrawn", "funds_reinstated", "retrieved"}
    assert set(TRANSLATORS) == {
        *(f"payment_intent.{what}" for what in intent),
        *("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
        *("charge.refunded", "refund.retrieved"),
        *(f"charge.dispute.{what}" for what in closing),
        *(f"radar.early_fraud_warning.{what}" for what in ("created", "updated", "retrieved")),
    }


@pytest.mark.parametrize("kind", REFUND_EVENTS)
@pytest.mark.parametrize(("status", "word"), [*REFUND_STATUS.items(), (None, RefundStatus.PENDING)])
def test_a_refund_event_reports_the_refunds_status(
    kind: str, status: str | None, word: RefundStatus
) -> None:
    """The fact names Stripe's refund, the payment's object, and our refund ID as a claim."""
    fact = _refund(kind, status=status)
    assert (fact.event_id, fact.occurred_at, fact.object_id) == ("evt_1", AT, INTENT)
    assert (fact.ref, fact.claims, fact.status) == ("re_1", REFUND, word)
    assert fact.refund_id == identity.provider_made_id("ref", "stripe", "re_1")
    assert (fact.amount, fact.currency, fact.reason) == (400, "EUR", "requested_by_customer")


@pytest.mark.parametrize(
    "metadata", [{}, None, {"refund_id": ""}, {"refund_id": "42"}, {"refund_id": REFUND}]
)
def test_a_refunds_id_is_derived_from_stripes(metadata: dict[str, str] | None) -> None:
    """The metadata doesn't change it, so all events about a refund have the same refund ID."""
    fact = _refund(metadata=metadata)
    assert fact.refund_id == identity.provider_made_id("ref", "stripe", "re_1")
    assert fact.claims == (REFUND if metadata == {"refund_id": REFUND} else None)
    assert _refund(metadata=metadata, id="re_2").refund_id != fact.refund_id


def test_a_refund_has_its_call_key_if_stripe_reports_it() -> None:
    """The key proves that our call made the refund, since only we know it."""
    named = {"id": "req_1", "idempotency_key": f"{INTENT}:refund:{REFUND}"}
    fact = translator().translate(event("refund.created", refund(), request=named)).fact
    assert isinstance(fact, RefundFact)
    assert fact.caused_by == named["idempotency_key"]
    assert _refund().caused_by is None


def test_a_failed_refund_has_a_reason() -> None:
    """A refund that failed after its success has the bank's reason."""
    failure = _refund(
        "refund.failed", status="failed", failure_reason="lost_or_stolen_card"
    ).failure
    assert failure is not None
    assert (failure.code, bool(failure.message)) == ("lost_or_stolen_card", True)
    assert _refund().failure is None


@pytest.mark.parametrize("kind", DISPUTE_EVENTS)
@pytest.mark.parametrize(("status", "word"), DISPUTE_STATUS.items())
def test_a_dispute_event_reports_the_disputes_status(
    kind: str, status: str, word: DisputeStatus
) -> None:
    """Only its status counts: withdrawn funds do not mean that the dispute is lost."""
    fact = _dispute(kind, status=status)
    assert (fact.event_id, fact.occurred_at, fact.object_id) == ("evt_1", AT, INTENT)
    assert fact.dispute_id == identity.provider_made_id("dis", "stripe", "dp_1")
    assert (fact.status, fact.reason) == (word, "fraudulent")
    assert (fact.amount, fact.currency) == (1000, "EUR")


@pytest.mark.parametrize(
    ("amount", "category", "kind"),
    [
        (-1000, "dispute", MovementKind.WITHDRAWN),
        (1000, "dispute_reversal", MovementKind.REINSTATED),
        (12, "dispute", MovementKind.ADJUSTED),
        (-12, "dispute_reversal", MovementKind.ADJUSTED),
        (12, "other_adjustment", MovementKind.ADJUSTED),
        (-12, "fee", MovementKind.ADJUSTED),
    ],
)
def test_a_movement_is_what_stripe_reports_it_under(
    amount: int, category: str, kind: MovementKind
) -> None:
    """Stripe reports the effect on our balance; the fact has what was taken from us."""
    moved = movement(amount, "usd", reporting_category=category)
    fact = _dispute(currency="jpy", amount=10_000, balance_transactions=[moved])
    assert fact.movements == (Movement("txn_1", -amount, "USD", kind),)
    assert (fact.currency, fact.amount) == ("JPY", 10_000)


@pytest.mark.parametrize("absent", ["amount", "currency", "reporting_category"])
def test_a_movement_without_its_amount_currency_or_category_is_malformed(absent: str) -> None:
    """No default would be right: it is money."""
    moved = movement(-1000, "usd")
    del moved[absent]
    with pytest.raises(MalformedWebhookError):
        _dispute(balance_transactions=[moved])


@pytest.mark.parametrize("status", ["needs_response", *sorted(APPEALS)])
def test_an_appeal_and_its_deadline_are_reported(status: str) -> None:
    """The deadline is the one for evidence."""
    fact = _dispute(status=status, evidence_details={"due_by": CREATED + 60})
    assert fact.appeal is status.startswith("appeal_")
    assert fact.respond_by == AT + timedelta(seconds=60)
    for details in ({"due_by": 0}, {"due_by": None}, {}, None):
        assert _dispute(status=status, evidence_details=details).respond_by is None


@pytest.mark.parametrize("kind", WARNING_EVENTS)
@pytest.mark.parametrize("actionable", [True, False])
def test_a_fraud_warning_names_the_payment_and_the_fraud(kind: str, *, actionable: bool) -> None:
    """The warning's ID is derived from Stripe's; one without a payment intent is not ours."""
    fact = translator().translate(event(kind, fraud_warning(actionable=actionable))).fact
    assert isinstance(fact, FraudWarningFact)
    assert (fact.event_id, fact.occurred_at, fact.object_id) == ("evt_1", AT, INTENT)
    assert fact.warning_id == identity.provider_made_id("fw", "stripe", "issfr_1")
    assert (fact.type, fact.actionable) == ("made_with_stolen_card", actionable)
    none = translator().translate(event(kind, fraud_warning(payment_intent=None))).fact
    assert isinstance(none, Unmodelled)


@pytest.mark.parametrize("currency", ["jpy", "eur", "bhd"])
@pytest.mark.parametrize("amount", [1, 50, 99_999_999])
def test_amounts_are_not_converted(currency: str, amount: int) -> None:
    """Stripe's amounts are already in minor units, for every currency."""
    for fact in (
        _refund(amount=amount, currency=currency),
        _dispute(amount=amount, currency=currency),
    ):
        assert (fact.amount, type(fact.amount)) == (amount, int)
        assert fact.currency == currency.upper()
