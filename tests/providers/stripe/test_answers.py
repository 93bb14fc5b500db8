"""What Stripe's answers mean: a refusal only where nothing happened and nothing will."""

from typing import Any, get_args

import pytest
import stripe

from domain.calls import ProviderCall
from ports.provider import Acknowledged, CallOutcome, NotNow, Refused, Unknown
from providers.stripe.answers import RETRY_AFTER_MAX_S, outcome_of_error, outcome_of_state
from providers.stripe.translate import PAYMENT_STATUS
from tests.providers.stripe.builders import INTENT, call, intent, stripe_error, unexpected_state

OPERATIONS = ("create", "confirm", "capture", "cancel", "refund")
every_operation = pytest.mark.parametrize("operation", OPERATIONS)

DECLINED = {
    "type": "card_error",
    "code": "card_declined",
    "decline_code": "generic_decline",
    "message": "Your card was declined.",
}


@pytest.mark.parametrize("operation", ["create", "confirm"])
def test_a_declined_card_is_an_acknowledgement(operation: str) -> None:
    """The payment intent exists and an attempt was made: its webhook reports the outcome."""
    error = stripe_error(402, {**DECLINED, "payment_intent": intent("requires_payment_method")})
    assert outcome_of_error(call(operation), error) == Acknowledged(INTENT)


def test_a_declined_confirm_is_of_the_intent_it_was_sent_to() -> None:
    """Where the error names no payment intent, the call did."""
    assert outcome_of_error(call("confirm"), stripe_error(402, DECLINED)) == Acknowledged(INTENT)


@pytest.mark.parametrize("operation", ["create", "capture", "cancel", "refund"])
def test_a_card_error_that_made_nothing_is_a_refusal(operation: str) -> None:
    """No payment intent came of it, or the operation was none that tries a card."""
    outcome = outcome_of_error(call(operation), stripe_error(402, DECLINED))
    assert outcome == Refused("card_declined", "Your card was declined.")


INVALID: list[dict[str, Any]] = [
    {"code": "parameter_invalid_integer", "param": "amount", "message": "Invalid integer."},
    {"code": "amount_too_large", "message": "Greater than what is left."},
    {"code": "charge_already_refunded", "message": "It has been refunded."},
    {"code": "resource_missing", "param": "payment_method", "message": "No such PaymentMethod."},
]


@every_operation
@pytest.mark.parametrize("invalid", INVALID, ids=lambda invalid: invalid["code"])
def test_an_invalid_request_is_a_refusal(operation: str, invalid: dict[str, Any]) -> None:
    """Stripe did nothing, and never will; its code and words are passed on."""
    error = stripe_error(400, {"type": "invalid_request_error", **invalid})
    outcome = outcome_of_error(call(operation), error)
    assert outcome == Refused(invalid["code"], invalid["message"])


def test_a_refusal_always_has_a_code_and_a_sentence() -> None:
    """Also where Stripe gives neither."""
    nothing = stripe_error(400, {"type": "invalid_request_error"})
    assert outcome_of_error(call("refund"), nothing) == Refused("invalid_request", "Refused.")
    card = stripe_error(402, {"type": "card_error"})
    assert outcome_of_error(call("refund"), card) == Refused("card_error", "The card was refused.")


REFUSED, UNEXPECTED = "refused", "refused: unexpected state"
DONE, LATER, LOST = "done", "later", "refused: the authorization is lost"
#: What a call that Stripe refuses for the state of its payment intent has come to.
STATES: dict[str, dict[str, str]] = {
    "requires_payment_method": {"confirm": UNEXPECTED, "capture": LOST, "cancel": LATER},
    "requires_confirmation": {"confirm": UNEXPECTED, "capture": LATER, "cancel": LATER},
    "requires_action": {"confirm": DONE, "capture": LATER, "cancel": LATER},
    "processing": {"confirm": DONE, "capture": LATER, "cancel": LATER},
    "requires_capture": {"confirm": DONE, "capture": LATER, "cancel": LATER},
    "succeeded": {"confirm": DONE, "capture": DONE, "cancel": DONE},
    "canceled": {"confirm": REFUSED, "capture": REFUSED, "cancel": DONE},
}
CELLS = [(operation, status) for status, row in STATES.items() for operation in row]


def _meaning(outcome: CallOutcome) -> str:
    match outcome:
        case Acknowledged(object_id):
            assert object_id == INTENT
            return DONE
        case Refused("payment_intent_unexpected_state", _):
            return UNEXPECTED
        case Refused("canceled", message):
            assert message
            return REFUSED
        case Refused("authorization_lost", message):
            assert message
            return LOST
        case NotNow(reason):
            assert reason
            return LATER
    return str(outcome)


def test_the_table_has_every_status() -> None:
    """All that Stripe's payment intent can be in."""
    assert set(STATES) == set(PAYMENT_STATUS)


@pytest.mark.parametrize(("operation", "status"), CELLS)
def test_an_unexpected_state_says_what_has_happened(operation: str, status: str) -> None:
    """Over is done or impossible; anything else did not happen, and may later."""
    outcome = outcome_of_error(call(operation), unexpected_state(status))
    assert _meaning(outcome) == STATES[status][operation]


@pytest.mark.parametrize(("operation", "status"), CELLS)
def test_the_state_itself_says_the_same(operation: str, status: str) -> None:
    """A look-up reads it as an error does; None where the call has not happened."""
    found = outcome_of_state(call(operation), status, INTENT)
    meaning = STATES[status][operation]
    assert (None if found is None else _meaning(found)) == (
        meaning if meaning in {DONE, REFUSED, LOST} else None
    )


@pytest.mark.parametrize("operation", ["capture", "cancel", "refund"])
@pytest.mark.parametrize("status", [None, "requires_thought"])
def test_an_unknown_state_refuses_nothing(operation: str, status: str | None) -> None:
    """It did not happen now; what is not known to be over may happen later."""
    error: dict[str, Any] = {"code": "payment_intent_unexpected_state"}
    if status is not None:
        error["payment_intent"] = intent(status)
    assert isinstance(outcome_of_error(call(operation), stripe_error(400, error)), NotNow)


IN_USE = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use."}
MISMATCH = {"type": "idempotency_error", "message": "Keys can only be used with the same ..."}
BROKEN = {"type": "api_error", "message": "An unknown error occurred."}
WRONG_KEY = {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_test_*x"}
NOT_ALLOWED = {"type": "invalid_request_error", "message": "This key may not do that."}
NO_INTENT = {
    "type": "invalid_request_error",
    "code": "resource_missing",
    "message": f"No such payment_intent: '{INTENT}'",
}
NO_ADDRESS = {"type": "invalid_request_error", "message": "Unrecognized request URL"}

#: Answers after which the operation may have happened, or that are the operator's to mend.
UNKNOWN: dict[str, stripe.StripeError] = {
    "the key is in use now": stripe_error(409, IN_USE),
    "the key was used with other parameters": stripe_error(400, MISMATCH),
    "too many requests": stripe_error(429, {"type": "invalid_request_error"}),
    "too many requests, as a 400": stripe_error(400, {"code": "rate_limit"}),
    "its own failure": stripe_error(500, BROKEN),
    "its gateway's failure": stripe_error(503, BROKEN),
    "the API key is wrong": stripe_error(401, WRONG_KEY),
    "the API key may not": stripe_error(403, NOT_ALLOWED),
    "no such payment intent at the address": stripe_error(404, {**NO_INTENT, "param": "intent"}),
    "no such payment intent to refund": stripe_error(400, {**NO_INTENT, "param": "payment_intent"}),
    "no such address": stripe_error(404, NO_ADDRESS),
    "an answer nobody knows": stripe_error(418, {"type": "teapot_error"}),
    "no answer": stripe.APIConnectionError("Network error"),  # type: ignore[no-untyped-call]  # has no annotations
    "an answer that is no JSON": stripe.APIError("Invalid response body from API"),
}


@every_operation
@pytest.mark.parametrize("case", UNKNOWN)
def test_what_says_nothing_of_the_outcome_refuses_nothing(operation: str, case: str) -> None:
    """Neither a refusal nor done: the same key again, and never a new one by itself."""
    outcome = outcome_of_error(call(operation), UNKNOWN[case])
    assert isinstance(outcome, Unknown)
    assert not outcome.repeats
    assert outcome.retry_after_s is None


def test_an_unknown_outcome_names_what_an_operator_needs() -> None:
    """The class, the status and the code; not Stripe's message, which may quote a key."""
    for case, status in (("the API key is wrong", 401), ("the API key may not", 403)):
        outcome = outcome_of_error(call("create"), UNKNOWN[case])
        assert isinstance(outcome, Unknown)
        assert str(status) in outcome.reason
        assert "sk_test" not in outcome.reason
    missing = outcome_of_error(call("capture"), UNKNOWN["no such payment intent at the address"])
    assert isinstance(missing, Unknown)
    assert "404, resource_missing" in missing.reason


@pytest.mark.parametrize(
    ("status", "replayed", "repeats"),
    [(500, "true", True), (503, "true", True), (500, "false", False), (429, "true", False)],
)
@pytest.mark.parametrize("header", ["Idempotent-Replayed", "idempotent-replayed"])
def test_a_replayed_failure_would_be_given_again(
    status: int, replayed: str, header: str, *, repeats: bool
) -> None:
    """The key keeps its first answer for a day, 500s too: only a look-up can tell."""
    outcome = outcome_of_error(call("create"), stripe_error(status, BROKEN, {header: replayed}))
    assert isinstance(outcome, Unknown)
    assert outcome.repeats is repeats


@pytest.mark.parametrize("operation", ["create", "confirm"])
def test_a_replayed_decline_is_still_an_acknowledgement(operation: str) -> None:
    """The first answer was a decline; it is one at every retry."""
    declined = {**DECLINED, "payment_intent": intent("requires_payment_method")}
    error = stripe_error(402, declined, {"Idempotent-Replayed": "true"})
    assert outcome_of_error(call(operation), error) == Acknowledged(INTENT)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("9" * 400, RETRY_AFTER_MAX_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("nan", None),
    ],
)
@pytest.mark.parametrize("header", ["Retry-After", "retry-after"])
def test_the_wait_that_is_asked_for_is_kept(value: str, seconds: float | None, header: str) -> None:
    """Whole seconds, at most a day; anything else leaves the wait to our own back-off."""
    error = stripe_error(429, {"type": "invalid_request_error"}, {header: value})
    outcome = outcome_of_error(call("refund"), error)
    assert isinstance(outcome, Unknown)
    assert outcome.retry_after_s == seconds


def test_every_kind_of_outcome_is_met_here() -> None:
    """The port has four, and each is some answer's meaning."""
    create: ProviderCall = call("create")
    met = {
        type(outcome_of_error(create, UNKNOWN["no answer"])),
        type(outcome_of_error(create, stripe_error(402, DECLINED))),
        type(outcome_of_error(call("cancel"), unexpected_state("succeeded"))),
        type(outcome_of_error(call("cancel"), unexpected_state("processing"))),
    }
    assert met == set(get_args(CallOutcome))
