"""Translation of refunds and disputes: statuses, amounts and the direction of money."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.inputs import DisputeFact, Movement, RefundFact
from domain.status import DisputeStatus, RefundStatus
from providers.stripe.translate import DISPUTE_STATUS, REFUND_STATUS, TRANSLATORS
from schemas import identity
from tests.providers.stripe.builders import (
    CREATED,
    INTENT,
    REFUND,
    dispute,
    event,
    refund,
    translator,
)

AT = datetime.fromtimestamp(CREATED, UTC)
REFUND_EVENTS = [kind for kind in TRANSLATORS if "refund" in kind]
DISPUTE_EVENTS = [kind for kind in TRANSLATORS if "dispute" in kind]


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
    closing = {"created", "updated", "closed", "funds_withdrawn", "funds_reinstated"}
    assert set(TRANSLATORS) == {
        *(f"payment_intent.{what}" for what in intent),
        *("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
        *(f"charge.dispute.{what}" for what in closing),
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


def test_withdrawn_money_is_positive_and_returned_money_negative() -> None:
    """Stripe reports the effect on our balance; the fact has the withdrawn amount."""
    moves = [{"id": "txn_1", "amount": -1000}, {"id": "txn_2", "amount": 1000}]
    fact = _dispute(status="won", balance_transactions=moves)
    assert fact.movements == (Movement("txn_1", 1000), Movement("txn_2", -1000))


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
