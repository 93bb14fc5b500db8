"""Turns Stripe's response to a call into an outcome. Pure.

A call is refused only if Stripe states that it did not and will not do it. After a time-out, a 5xx,
a 409 or a 429 the outcome is unknown. A declined card is an acknowledgement: the payment intent
exists, and a webhook reports what happened. A wrong API key, or one of another account, which has
none of our objects, refuses no payment: an operator has to correct it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import stripe

from domain.call_key import Operation, is_key_of
from domain.calls import ProviderCall, is_last_cancel
from ports.provider import (
    Acknowledged,
    CallOutcome,
    NotNow,
    NotSent,
    RateLimitedError,
    Refused,
    Unknown,
)

_SERVER_ERROR = 500
_NOT_FOUND = 404
MISSING = "resource_missing"
_UNEXPECTED_STATE = "payment_intent_unexpected_state"
#: Objects that an error names at most.
_SHOWN: Final = 3
#: The reasons in the header of a 429 that are about one endpoint.
ABOUT_ONE_ENDPOINT: Final = frozenset({"endpoint-rate", "endpoint-concurrency"})
#: What a 429 names that is about one object and not about the account's rate: as the error's code,
#: or as the reason in its header. Another request holds the object, or it was changed too often.
ABOUT_ONE_OBJECT: Final = frozenset({"lock_timeout", "resource-specific"})
#: A longer Retry-After is cut to this.
RETRY_AFTER_MAX_S = 86_400.0


def outcome_of_error(
    call: ProviderCall, error: stripe.StripeError | RateLimitedError
) -> CallOutcome:
    """Returns the outcome of a call that failed with an error of Stripe or without a response."""
    if isinstance(error, RateLimitedError):
        return NotSent(str(error), error.retry_after_s)
    if isinstance(error, stripe.CardError):
        return _declined(call, error)
    if isinstance(error, stripe.InvalidRequestError) and not _is_wrong_account(error):
        return _invalid(call, error)
    replayed = _header(error, "idempotent-replayed") == "true"
    return Unknown(
        f"{type(error).__name__} (HTTP {error.http_status}, {error.code or 'no code'})",
        retry_after_s=retry_after_of(error),
        # under a key that was used for another request, only a look-up shows what happened
        repeats=(replayed and (error.http_status or 0) >= _SERVER_ERROR)
        or isinstance(error, stripe.IdempotencyError),
        is_available=isinstance(error, stripe.RateLimitError),
    )


def is_rate_limit(error: stripe.StripeError) -> bool:
    """Returns whether Stripe refused a request because the account makes too many."""
    named = {code_in(error), _header(error, "stripe-rate-limited-reason")}
    return isinstance(error, stripe.RateLimitError) and not named & ABOUT_ONE_OBJECT


def is_of_endpoint(error: stripe.StripeError) -> bool:
    """Returns whether such a refusal says that it is for the rate of one endpoint."""
    return _header(error, "stripe-rate-limited-reason") in ABOUT_ONE_ENDPOINT


def retry_after_of(error: stripe.StripeError) -> float | None:
    """Returns the seconds for which Stripe wants to be left alone, if it says so."""
    return _seconds(_header(error, "retry-after"))


def _header(error: stripe.StripeError, name: str) -> str | None:
    headers = {each.lower(): value for each, value in (error.headers or {}).items()}
    return headers.get(name)


def code_in(error: stripe.StripeError) -> str | None:
    """Returns the error's code; the package leaves it out of a rate limit's."""
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    return code if isinstance(code, str) else None


def _seconds(value: str | None) -> float | None:
    if value is None or not (value.isascii() and value.isdecimal()):
        return None
    return min(float(value), RETRY_AFTER_MAX_S)


def _is_wrong_account(error: stripe.InvalidRequestError) -> bool:
    """Returns whether our own object or the address is missing, not the client's token.

    Stripe never loses a payment intent, so the API key or the host is of another account or mode.
    An earlier attempt may have succeeded in the right one.
    """
    missing = error.code == MISSING or error.http_status == _NOT_FOUND
    return missing and error.param != "payment_method"


def _intent_in(error: stripe.StripeError) -> dict[str, Any]:
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    intent = inner.get("payment_intent") if isinstance(inner, dict) else None
    return intent if isinstance(intent, dict) else {}


def _declined(call: ProviderCall, error: stripe.CardError) -> CallOutcome:
    object_id = _intent_in(error).get("id") or call.object_id
    if isinstance(object_id, str) and call.operation in {Operation.CREATE, Operation.CONFIRM}:
        return Acknowledged(object_id)
    return Refused(error.code or "card_error", error.user_message or "The card was refused.")


def _invalid(call: ProviderCall, error: stripe.InvalidRequestError) -> CallOutcome:
    refused = Refused(error.code or "invalid_request", error.user_message or "Refused.")
    if error.code != _UNEXPECTED_STATE:
        return refused
    intent = _intent_in(error)
    found = outcome_of_state(call, str(intent.get("status")), call.object_id or "")
    return (
        refused
        if found is None and call.operation is Operation.CONFIRM
        else found or NotNow(f"the payment intent is {intent.get('status')}")
    )


def outcome_of_state(call: ProviderCall, status: str, object_id: str) -> CallOutcome | None:
    """Returns a call's outcome by the object's state, or None if the call has not happened."""
    match call.operation, status:
        case Operation.CANCEL, "succeeded":
            return Refused("already_captured", "The payment was captured before.")
        case Operation.CANCEL, "canceled" if is_last_cancel(call):
            return Refused("already_final", "The payment intent was cancelled before.")
        case Operation.CANCEL, "canceled":
            return Acknowledged(object_id)  # as the client asked, by anybody
        case Operation.CAPTURE, "succeeded":
            return Acknowledged(object_id)
        case Operation.CAPTURE, "canceled":
            return Refused("canceled", "The authorization is gone.")
        case Operation.CAPTURE, "requires_payment_method":
            # Only another attempt can authorize again; retrying the capture can't.
            return Refused("authorization_lost", "The authorization is gone; another is needed.")
        case Operation.CONFIRM, "processing" | "requires_action" | "requires_capture" | "succeeded":
            return Acknowledged(object_id)
        case Operation.CONFIRM, "canceled":
            return Refused("canceled", "The payment is cancelled at the provider.")
    return None


def is_caused_by(event: Mapping[str, Any], call: ProviderCall) -> bool:
    """Returns whether an event names this call's key, of any generation, as its cause."""
    request = event.get("request")
    key = request.get("idempotency_key") if isinstance(request, dict) else None
    return is_key_of(str(key), call.key)


def may_name_key(event: Mapping[str, Any]) -> bool:
    """Returns whether an event could name a call's key; one of an old API version can't."""
    return not isinstance(event.get("request"), str)


def unproved(object_ids: Collection[str], what: str) -> Unknown:
    """Returns the outcome of a call if these objects have our ID, but nothing proves them.

    ``what`` says what they are and have, such as "refunds have our refund ID".
    """
    shown = ", ".join(sorted(object_ids)[:_SHOWN])
    return Unknown(
        f"{len(object_ids)} {what}, and no event says which call created them: {shown}",
        is_available=True,
    )
