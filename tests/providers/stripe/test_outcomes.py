"""The outcome of each of Stripe's responses: a refusal only if the call can never take effect."""

from typing import Any, Final, get_args

import pytest
import stripe

from domain.calls import ProviderCall
from ports.provider import (
    Acknowledged,
    CallOutcome,
    NotNow,
    RateLimitedError,
    Refused,
    Unknown,
)
from providers.stripe.outcomes import (
    RETRY_AFTER_MAX_S,
    is_rate_limit,
    outcome_of_error,
    outcome_of_state,
)
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
    """The payment intent exists and an attempt was made, so its webhook reports the outcome."""
    error = stripe_error(402, {**DECLINED, "payment_intent": intent("requires_payment_method")})
    assert outcome_of_error(call(operation), error) == Acknowledged(INTENT)


def test_a_declined_confirm_acknowledges_the_calls_intent() -> None:
    """The error names no payment intent, but the call does."""
    assert outcome_of_error(call("confirm"), stripe_error(402, DECLINED)) == Acknowledged(INTENT)


@pytest.mark.parametrize("operation", ["create", "capture", "cancel", "refund"])
def test_a_card_error_without_an_attempt_is_a_refusal(operation: str) -> None:
    """No payment intent was created, or the operation makes no attempt."""
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
    """Stripe did nothing and never will; the refusal has its code and message."""
    error = stripe_error(400, {"type": "invalid_request_error", **invalid})
    outcome = outcome_of_error(call(operation), error)
    assert outcome == Refused(invalid["code"], invalid["message"])


def test_a_refusal_always_has_a_code_and_a_message() -> None:
    """It has them even if Stripe sends neither."""
    nothing = stripe_error(400, {"type": "invalid_request_error"})
    assert outcome_of_error(call("refund"), nothing) == Refused("invalid_request", "Refused.")
    card = stripe_error(402, {"type": "card_error"})
    assert outcome_of_error(call("refund"), card) == Refused("card_error", "The card was refused.")


REFUSED, UNEXPECTED = "refused", "refused: unexpected state"
DONE, LATER, LOST = "done", "later", "refused: the authorization is lost"
CAPTURED = "refused: captured before"
#: The meaning of Stripe's refusal because of the payment intent's status.
STATES: dict[str, dict[str, str]] = {
    "requires_payment_method": {"confirm": UNEXPECTED, "capture": LOST, "cancel": LATER},
    "requires_confirmation": {"confirm": UNEXPECTED, "capture": LATER, "cancel": LATER},
    "requires_action": {"confirm": DONE, "capture": LATER, "cancel": LATER},
    "processing": {"confirm": DONE, "capture": LATER, "cancel": LATER},
    "requires_capture": {"confirm": DONE, "capture": LATER, "cancel": LATER},
    "succeeded": {"confirm": DONE, "capture": DONE, "cancel": CAPTURED},
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
        case Refused("already_captured", message):
            assert message
            return CAPTURED
        case NotNow(reason):
            assert reason
            return LATER
    return str(outcome)


def test_the_table_has_every_status() -> None:
    """It lists every status of Stripe's payment intents."""
    assert set(STATES) == set(PAYMENT_STATUS)


@pytest.mark.parametrize(("operation", "status"), CELLS)
def test_an_unexpected_status_gives_the_outcome(operation: str, status: str) -> None:
    """A final status means done or refused. With any other, the call may still succeed later."""
    outcome = outcome_of_error(call(operation), unexpected_state(status))
    assert _meaning(outcome) == STATES[status][operation]


@pytest.mark.parametrize(("operation", "status"), CELLS)
def test_a_look_up_of_the_status_gives_the_same_outcome(operation: str, status: str) -> None:
    """It returns None if the call has not happened."""
    found = outcome_of_state(call(operation), status, INTENT)
    meaning = STATES[status][operation]
    assert (None if found is None else _meaning(found)) == (
        meaning if meaning in {DONE, REFUSED, LOST, CAPTURED} else None
    )


@pytest.mark.parametrize("operation", ["capture", "cancel", "refund"])
@pytest.mark.parametrize("status", [None, "requires_thought"])
def test_an_unknown_status_is_no_refusal(operation: str, status: str | None) -> None:
    """The call did not take effect, but may succeed later."""
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

#: Errors after which the call may have happened, or that an operator has to fix.
OTHER_PARAMETERS = "the key was used with other parameters"
UNKNOWN: dict[str, stripe.StripeError] = {
    "the key is in use now": stripe_error(409, IN_USE),
    OTHER_PARAMETERS: stripe_error(400, MISMATCH),
    "too many requests": stripe_error(429, {"type": "invalid_request_error"}),
    "too many requests, as a 400": stripe_error(400, {"code": "rate_limit"}),
    "an internal error": stripe_error(500, BROKEN),
    "a gateway error": stripe_error(503, BROKEN),
    "the API key is wrong": stripe_error(401, WRONG_KEY),
    "the API key lacks permission": stripe_error(403, NOT_ALLOWED),
    "no such payment intent at the address": stripe_error(404, {**NO_INTENT, "param": "intent"}),
    "no such payment intent to refund": stripe_error(400, {**NO_INTENT, "param": "payment_intent"}),
    "no such address": stripe_error(404, NO_ADDRESS),
    "an unknown error": stripe_error(418, {"type": "teapot_error"}),
    "no response": stripe.APIConnectionError("Network error"),  # type: ignore[no-untyped-call]  # has no annotations
    "a response that is not JSON": stripe.APIError("Invalid response body from API"),
}


@every_operation
@pytest.mark.parametrize("case", UNKNOWN)
def test_an_inconclusive_error_is_an_unknown_outcome(operation: str, case: str) -> None:
    """It is neither a refusal nor a success: it is retried, or looked up if the key is spoilt."""
    outcome = outcome_of_error(call(operation), UNKNOWN[case])
    assert isinstance(outcome, Unknown)
    assert outcome.repeats is (case == OTHER_PARAMETERS)
    assert outcome.retry_after_s is None
    assert outcome.is_available is case.startswith("too many requests")


ABOUT_RATE: Final = {
    "by status": stripe_error(429, {"type": "invalid_request_error"}),
    "by code": stripe_error(429, {"code": "rate_limit"}),
    "by code, as a 400": stripe_error(400, {"code": "rate_limit"}),
    **{
        reason: stripe_error(429, {"code": "rate_limit"}, {"Stripe-Rate-Limited-Reason": reason})
        for reason in ("global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency")
    },
}
ABOUT_OTHERS: Final = {
    "another request has the object": stripe_error(429, {"code": "lock_timeout"}),
    "the object was changed too often": stripe_error(
        429, {"code": "rate_limit"}, {"stripe-rate-limited-reason": "resource-specific"}
    ),
    "a body that is no object": stripe_error(500, BROKEN),
    **{case: error for case, error in UNKNOWN.items() if not case.startswith("too many")},
}


@pytest.mark.parametrize("case", ABOUT_RATE)
def test_too_many_requests_are_known_by_status_and_code(case: str) -> None:
    """Every reason that is about the account's rate, or about how much of it is under way."""
    assert is_rate_limit(ABOUT_RATE[case])


@pytest.mark.parametrize("case", ABOUT_OTHERS)
def test_a_refusal_about_one_object_is_not_about_the_rate(case: str) -> None:
    """A lock that another request holds stops no other payment's call."""
    assert not is_rate_limit(ABOUT_OTHERS[case])
    outcome = outcome_of_error(call("capture"), ABOUT_OTHERS[case])
    assert isinstance(outcome, Unknown)


def test_an_unknown_outcome_has_a_reason_for_operators() -> None:
    """It has the HTTP status and Stripe's code, but not the message, which may quote a key."""
    for case, status in (("the API key is wrong", 401), ("the API key lacks permission", 403)):
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
def test_a_replayed_server_error_would_be_repeated(
    status: int, replayed: str, header: str, *, repeats: bool
) -> None:
    """Stripe stores a key's first response for a day, even a 500, so a look-up is needed."""
    outcome = outcome_of_error(call("create"), stripe_error(status, BROKEN, {header: replayed}))
    assert isinstance(outcome, Unknown)
    assert outcome.repeats is repeats


@pytest.mark.parametrize("operation", ["create", "confirm"])
def test_a_replayed_decline_is_still_an_acknowledgement(operation: str) -> None:
    """The first response was a decline, and every retry gets the same."""
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
def test_retry_after_is_respected(value: str, seconds: float | None, header: str) -> None:
    """It counts if it is whole seconds, up to a day. Otherwise our own back-off applies."""
    error = stripe_error(429, {"type": "invalid_request_error"}, {header: value})
    outcome = outcome_of_error(call("refund"), error)
    assert isinstance(outcome, Unknown)
    assert outcome.retry_after_s == seconds


def test_every_kind_of_outcome_occurs() -> None:
    """Each of the port's five kinds is the outcome of some response, or of none."""
    create: ProviderCall = call("create")
    occurring = {
        type(outcome_of_error(create, UNKNOWN["no response"])),
        type(outcome_of_error(create, stripe_error(402, DECLINED))),
        type(outcome_of_error(call("cancel"), unexpected_state("canceled"))),
        type(outcome_of_error(call("cancel"), unexpected_state("processing"))),
        type(outcome_of_error(create, RateLimitedError("the budget is used up"))),
    }
    assert occurring == set(get_args(CallOutcome))
