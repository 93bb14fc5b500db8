"""Translation of payment intents: status, failure and next action."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from domain.facts.cancels import cause_of
from domain.facts.join import TERMINAL
from domain.inputs import Failure, PaymentFact
from domain.status import CancelCause, ProviderStatus
from providers.stripe.translate import PAYMENT_STATUS, TRANSLATORS
from tests.providers.stripe.builders import CREATED, INTENT, PAYMENT, event, intent, translator

AT = datetime.fromtimestamp(CREATED, UTC)
PAYMENT_EVENTS = [kind for kind in TRANSLATORS if kind.startswith("payment_intent.")]


def _payment(kind: str, **changes: Any) -> PaymentFact:
    fact = translator().translate(event(kind, intent(**changes))).fact
    assert isinstance(fact, PaymentFact)
    return fact


@pytest.mark.parametrize("kind", PAYMENT_EVENTS)
@pytest.mark.parametrize(("status", "word"), PAYMENT_STATUS.items())
def test_a_payment_event_reports_its_objects_status(
    kind: str, status: str, word: ProviderStatus
) -> None:
    """The object's status counts, not the event's type; they can disagree."""
    translated = translator().translate(event(kind, intent(status)))
    assert translated.kind == kind
    fact = translated.fact
    assert isinstance(fact, PaymentFact)
    assert (fact.event_id, fact.occurred_at, fact.object_id) == ("evt_1", AT, INTENT)
    assert (fact.status, fact.amount, fact.currency) == (word, 1000, "EUR")
    assert fact.captured == (1000 if word is ProviderStatus.SUCCEEDED else 0)
    assert fact.names_cause is (word in {ProviderStatus.CANCELED, ProviderStatus.SUCCEEDED})


@pytest.mark.parametrize(
    ("request_", "names_cause"),
    [
        ({"id": "req_1", "idempotency_key": None}, True),
        ({"id": None, "idempotency_key": "somebody"}, True),
        ({"id": None, "idempotency_key": None}, False),
        ("req_1", False),
        (None, False),
    ],
)
def test_a_capture_has_a_cause_where_its_event_names_a_request(
    request_: Any, *, names_cause: bool
) -> None:
    """Without one, Stripe did it by itself, for example later than our own call."""
    about = intent("succeeded")
    fact = translator().translate(event("payment_intent.succeeded", about, request=request_)).fact
    assert isinstance(fact, PaymentFact)
    assert fact.names_cause is names_cause


@pytest.mark.parametrize("status", sorted(set(PAYMENT_STATUS) - {"succeeded"}))
def test_nothing_is_captured_before_the_payment_has_succeeded(status: str) -> None:
    """This holds even if the object has a received amount."""
    kind = "payment_intent.amount_capturable_updated"
    assert _payment(kind, status=status, amount_received=700).captured == 0


DECLINE = {
    "type": "card_error",
    "code": "card_declined",
    "decline_code": "insufficient_funds",
    "message": "Your card has insufficient funds.",
    "charge": "ch_1",
    "payment_method": {"id": "pm_1", "object": "payment_method"},
}


@pytest.mark.parametrize("kind", PAYMENT_EVENTS)
def test_a_failed_attempt_is_not_final(kind: str) -> None:
    """The payment intent waits for another payment method and may still succeed."""
    fact = _payment(kind, status="requires_payment_method", last_payment_error=DECLINE)
    assert fact.status is ProviderStatus.ATTEMPT_FAILED
    assert fact.status not in TERMINAL
    assert fact.failure == Failure("insufficient_funds", "Your card has insufficient funds.")


@pytest.mark.parametrize("status", [s for s in PAYMENT_STATUS if PAYMENT_STATUS[s] not in TERMINAL])
def test_a_payment_failed_event_is_not_final(status: str) -> None:
    """Despite the event's name, money may be taken later."""
    fact = _payment("payment_intent.payment_failed", status=status, last_payment_error=DECLINE)
    assert fact.status not in TERMINAL


@pytest.mark.parametrize("status", ["succeeded", "requires_capture", "requires_action"])
def test_an_earlier_attempts_error_is_ignored(status: str) -> None:
    """The object may still have an error that is unrelated to its current status."""
    fact = _payment("payment_intent.succeeded", status=status, last_payment_error=DECLINE)
    assert fact.status is PAYMENT_STATUS[status]
    assert (fact.failure, fact.attempt_ref) == (None, None)


@pytest.mark.parametrize(
    ("change", "ref"),
    [
        ({}, "ch_1"),
        ({"charge": None}, "pm_1"),
        ({"charge": None, "payment_method": None}, None),
        ({"charge": None, "payment_method": {"id": 7}}, None),
    ],
)
def test_an_attempt_is_named_by_its_charge_or_its_payment_method(
    change: dict[str, Any], ref: str | None
) -> None:
    """So a failure reported twice counts once. Failed authentication creates no charge."""
    fact = _payment(
        "payment_intent.payment_failed",
        status="requires_payment_method",
        last_payment_error={**DECLINE, **change},
    )
    assert fact.attempt_ref == ref


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (
            {"code": "expired_card", "message": "It has expired."},
            ("expired_card", "It has expired."),
        ),
        ({}, ("unknown", "The payment method was not accepted.")),
    ],
)
def test_a_failure_always_has_a_code_and_a_message(
    error: dict[str, str], failure: tuple[str, str]
) -> None:
    """The code is the bank's reason, else Stripe's code, else our own."""
    fact = _payment(
        "payment_intent.payment_failed", status="requires_payment_method", last_payment_error=error
    )
    assert fact.failure == Failure(*failure)


_REQUEST: Final = {"id": "req_1", "idempotency_key": None}
_EXHAUSTED: Final = CancelCause.ATTEMPTS_EXHAUSTED


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        ({**_REQUEST, "idempotency_key": f"{PAYMENT}:cancel:exhausted"}, _EXHAUSTED),
        ({**_REQUEST, "idempotency_key": f"{PAYMENT}:cancel:exhausted.1"}, _EXHAUSTED),
        ({**_REQUEST, "idempotency_key": f"{PAYMENT}:cancel:1"}, CancelCause.REQUESTED),
        ({**_REQUEST, "idempotency_key": "somebody-elses"}, CancelCause.PROVIDER),
        (_REQUEST, CancelCause.PROVIDER),
        ({"id": None, "idempotency_key": None}, CancelCause.PROVIDER),
        (None, None),
    ],
)
@pytest.mark.parametrize("reason", ["abandoned", "requested_by_customer", "expired", None])
def test_a_cancellation_has_the_cause_that_its_key_names(
    request_: dict[str, Any] | None, cause: CancelCause | None, reason: str | None
) -> None:
    """A reason, which anybody can choose, makes no difference. Without a request none is known."""
    about = intent(status="canceled", cancellation_reason=reason)
    fact = translator().translate(event("payment_intent.canceled", about, request=request_)).fact
    assert isinstance(fact, PaymentFact)
    assert cause_of(fact) is cause


def test_an_event_has_the_key_of_its_call() -> None:
    """Stripe echoes the call's key; an event without a call has none."""
    caused = event("payment_intent.succeeded", request={"id": "req_1", "idempotency_key": "key_1"})
    assert _caused_by(caused) == "key_1"
    assert _caused_by(event("payment_intent.succeeded")) is None
    assert _caused_by(event("payment_intent.succeeded", request=None)) is None


def _caused_by(body: bytes) -> str | None:
    fact = translator().translate(body).fact
    assert isinstance(fact, PaymentFact)
    return fact.caused_by


@pytest.mark.parametrize(
    ("action", "url"),
    [
        ({"type": "redirect_to_url", "redirect_to_url": {"url": "https://x"}}, "https://x"),
        ({"type": "use_stripe_sdk", "use_stripe_sdk": {}}, None),
        ({"type": "redirect_to_url", "redirect_to_url": None}, None),
        ({"type": "redirect_to_url", "redirect_to_url": {"url": 7}}, None),
        (None, None),
    ],
)
def test_the_action_url_is_the_redirects(action: dict[str, Any] | None, url: str | None) -> None:
    """Other actions have no URL."""
    fact = _payment("payment_intent.requires_action", status="requires_action", next_action=action)
    assert fact.action_url == url


@pytest.mark.parametrize("currency", ["jpy", "eur", "bhd"])
@pytest.mark.parametrize("amount", [1, 50, 99_999_999])
def test_amounts_are_not_converted(currency: str, amount: int) -> None:
    """Stripe's amounts are already in minor units, for every currency."""
    fact = _payment(
        "payment_intent.succeeded",
        status="succeeded",
        amount=amount,
        amount_received=amount,
        currency=currency,
    )
    assert (fact.amount, fact.captured) == (amount, amount)
    assert {type(fact.amount), type(fact.captured)} == {int}
    assert fact.currency == currency.upper()


def test_a_partial_capture_keeps_the_authorized_amount() -> None:
    """The captured amount is the part that was captured."""
    fact = _payment("payment_intent.succeeded", status="succeeded", amount_received=600)
    assert (fact.amount, fact.captured) == (1000, 600)
