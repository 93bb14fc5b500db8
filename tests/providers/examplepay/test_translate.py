"""Translation of ExamplePay's states, times and references into the domain's terms."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.facts.cancels import cause_of
from domain.inputs import DisputeFact, PaymentFact, RefundFact, Unmodelled
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from ports.provider import MalformedWebhookError
from providers.examplepay.translate import (
    CHARGEBACK_STATUS,
    PAYMENT_STATUS,
    REFUND_REASON,
    REFUND_STATUS,
)
from providers.examplepay.webhooks import read
from schemas import identity
from tests import accounts
from tests.conformance.kit.examplepay_adapter import ExamplePayAdapter

TRANSLATOR = ExamplePayAdapter.translator()
AT = "2026-01-01T12:00:00.25Z"
EUR = {"value": "12.34", "currency": "EUR"}
PAYMENT_ID = identity.payment_id("shop", "order-1")
ANOTHER_ID = identity.payment_id("shop", "order-2")
REFUND_ID = identity.refund_id(PAYMENT_ID, "refund-1")


def event(kind: str, subject: dict[str, Any], **changes: Any) -> bytes:
    """Returns a notification about a subject."""
    owner = {"merchant": accounts.EXAMPLEPAY.name, "trial": True}
    whole = {"id": "ntf-1", "name": f"{kind}/x", "occurred_at": AT, **owner, "subject": subject}
    return json.dumps({**whole, **changes}).encode()


def payment(state: str = "paid", **changes: Any) -> bytes:
    """Returns a notification about a payment of 12.34 EUR in this state."""
    whole = {"id": "p-1", "state": state, "amount": EUR, "captured": "0", "changed_at": AT}
    return event("payment", {**whole, **changes})


def refund(**changes: Any) -> bytes:
    """Returns a notification about a refund of 4 EUR."""
    amount = {"value": "4", "currency": "EUR"}
    return event(
        "refund", {"id": "r-1", "state": "settled", "payment": "p-1", "amount": amount, **changes}
    )


def fact_of(body: bytes) -> Any:
    """Returns the translated fact."""
    return TRANSLATOR.translate(body).fact


def test_every_status_of_the_domain_has_a_counterpart() -> None:
    """Only a requested refund has none at the provider."""
    assert set(PAYMENT_STATUS.values()) == set(ProviderStatus)
    assert set(REFUND_STATUS.values()) == set(RefundStatus) - {RefundStatus.REQUESTED}
    assert set(CHARGEBACK_STATUS.values()) == set(DisputeStatus)


@pytest.mark.parametrize(("state", "status"), PAYMENT_STATUS.items())
def test_a_state_is_translated_to_a_status(state: str, status: ProviderStatus) -> None:
    """The subject's state counts, not the notification's name."""
    fact = fact_of(payment(state, captured="12.34"))
    assert isinstance(fact, PaymentFact)
    assert fact.status is status
    assert fact.captured == (1234 if status is ProviderStatus.SUCCEEDED else 0)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00.25Z", datetime(2026, 1, 1, 12, 0, 0, 250_000, UTC)),
        ("2026-01-01T13:00:00.000001+01:00", datetime(2026, 1, 1, 12, 0, 0, 1, UTC)),
        ("2026-01-01T12:00:00.1234564Z", datetime(2026, 1, 1, 12, 0, 0, 123_456, UTC)),
    ],
)
def test_times_are_utc_with_fractions(text: str, at: datetime) -> None:
    """Fractions order events within one second."""
    fact = fact_of(event("payment", json.loads(payment())["subject"], occurred_at=text))
    assert fact.occurred_at == at
    assert fact.occurred_at.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "now", "2026-01-01", "2026-01-01T12:00:00", "2026-13-01T00:00:00Z", 1, None,
             "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"]
)  # fmt: skip
def test_an_invalid_time_is_malformed(text: Any) -> None:
    """This includes a time without a zone and one outside the calendar."""
    with pytest.raises(MalformedWebhookError):
        fact_of(event("payment", json.loads(payment())["subject"], occurred_at=text))


@pytest.mark.parametrize(
    "amount",
    [
        {"value": 12.34, "currency": "EUR"},
        {"value": 1234, "currency": "EUR"},
        {"value": "12.345", "currency": "EUR"},
        {"value": "12.34", "currency": "JPY"},
        {"value": "12.34", "currency": "eur"},
        {"value": "12.34", "currency": ""},
        {"value": "12.34"},
        "12.34",
    ],
)
def test_an_invalid_amount_is_malformed(amount: Any) -> None:
    """This includes a JSON number, which may have lost decimals already."""
    with pytest.raises(MalformedWebhookError):
        fact_of(payment(amount=amount))


def test_a_decline_belongs_to_the_last_attempt() -> None:
    """The fact has that attempt's ID and reason, or "unknown" if there is no reason."""
    reason = {"code": "card_refused", "text": "No."}
    attempts = [{"id": "try-1", "decline": {"code": "x", "text": "y"}}, {"id": "try-2"}]
    fact = fact_of(payment("declined", attempts=[*attempts, {"id": "try-3", "decline": reason}]))
    assert (fact.attempt_ref, fact.failure.code, fact.failure.message) == (
        *("try-3", "card_refused"),
        "No.",
    )
    assert fact_of(payment("declined", attempts=attempts)).failure.code == "unknown"
    assert fact_of(payment("paid", attempts=attempts)).failure is None


@pytest.mark.parametrize(
    ("void_key", "cause"),
    [
        (f"{PAYMENT_ID}:cancel:1", CancelCause.REQUESTED),
        (f"{PAYMENT_ID}:cancel:exhausted", CancelCause.ATTEMPTS_EXHAUSTED),
        ("another", CancelCause.PROVIDER),
        (None, CancelCause.PROVIDER),
    ],
)
def test_a_void_has_the_cause_that_its_key_names(void_key: str | None, cause: CancelCause) -> None:
    """The reason, which anybody can choose, makes no difference."""
    voided = payment("voided", void_reason="tries_used_up", void_key=void_key)
    assert cause_of(fact_of(voided)) is cause


@pytest.mark.parametrize("reference", [None, "", "order 7", "ref_", f"{REFUND_ID}\n", PAYMENT_ID])
def test_a_reference_that_is_not_our_refund_id_is_ignored(reference: str | None) -> None:
    """References are free text."""
    fact = fact_of(refund(reference=reference))
    assert isinstance(fact, RefundFact)
    assert fact.claims is None


def test_a_reference_like_our_refund_id_is_only_a_claim() -> None:
    """Anyone may write it, so the refund keeps the ID derived from the provider's."""
    fact = fact_of(refund(reference=REFUND_ID))
    assert isinstance(fact, RefundFact)
    assert fact.claims == REFUND_ID
    assert (fact.ref, fact.caused_by) == ("r-1", None)
    assert fact.refund_id == identity.provider_made_id("ref", "examplepay", "r-1")


@pytest.mark.parametrize(("requested", "reported"), REFUND_REASON.items())
def test_a_refunds_reason_is_translated_back(requested: str, reported: str) -> None:
    """It is the client's original reason; an unknown reason stays unchanged."""
    assert fact_of(refund(reason=reported)).reason == requested
    assert fact_of(refund(reason="goodwill")).reason == "goodwill"


def test_withdrawn_money_is_positive_and_returned_money_negative() -> None:
    """The direction gives the sign; the values have none."""
    moves = [
        {"id": "m-1", "direction": "taken", "value": "12.34"},
        {"id": "m-2", "direction": "returned", "value": "2.34"},
    ]
    subject = {"id": "c-1", "state": "opened", "payment": "p-1", "amount": EUR, "moves": moves}
    fact = fact_of(event("chargeback", subject))
    assert isinstance(fact, DisputeFact)
    assert [move.amount for move in fact.movements] == [1234, -234]
    moves[0]["direction"] = "lent"
    with pytest.raises(MalformedWebhookError):
        fact_of(event("chargeback", subject))


@pytest.mark.parametrize(
    ("kind", "subject", "object_id", "payment_id"),
    [
        ("payment", {"id": "p-1", "reference": PAYMENT_ID}, "p-1", PAYMENT_ID),
        ("payment", {"id": "p-1", "reference": "order-7"}, "p-1", None),
        ("payment", {"id": "p-1", "reference": f"{PAYMENT_ID}\n"}, "p-1", None),
        ("payment", {"id": "p-1", "payment_reference": PAYMENT_ID}, "p-1", None),
        ("payment", {"id": "p-1", "void_key": f"{PAYMENT_ID}:cancel:1"}, "p-1", PAYMENT_ID),
        (
            "payment",
            {"id": "p-1", "reference": PAYMENT_ID, "void_key": f"{ANOTHER_ID}:cancel:1"},
            "p-1",
            ANOTHER_ID,
        ),
        (
            "payment",
            {"id": "p-1", "reference": PAYMENT_ID, "void_key": "order-7:cancel:1"},
            "p-1",
            PAYMENT_ID,
        ),
        ("payment", {"id": "p-1", "reference": PAYMENT_ID, "void_key": 7}, "p-1", PAYMENT_ID),
        (
            "refund",
            {"id": "r-1", "payment": "p-1", "payment_reference": PAYMENT_ID},
            "p-1",
            PAYMENT_ID,
        ),
        ("refund", {"id": "r-1", "payment": "p-1", "reference": PAYMENT_ID}, "p-1", None),
        (
            "chargeback",
            {"id": "c-1", "payment": "p-1", "payment_reference": PAYMENT_ID},
            "p-1",
            PAYMENT_ID,
        ),
        ("payout", {"id": "o-1"}, "o-1", None),
        ("payout", {"id": 7, "payment": []}, None, None),
        ("payout", {}, None, None),
    ],
)
def test_an_event_is_routed_by_its_content(
    kind: str, subject: dict[str, Any], object_id: str | None, payment_id: str | None
) -> None:
    """It is routed by our call, our payment ID or the object, in this order; none is refused."""
    webhook = read(event(kind, subject))
    assert (webhook.object_id, webhook.payment_id) == (object_id, payment_id)


def test_the_content_of_an_event_without_effect_is_not_checked() -> None:
    """Even an invalid subject is no error."""
    fact = fact_of(event("payout", {"id": 7}))
    assert isinstance(fact, Unmodelled)
    assert not fact.unknown_status
