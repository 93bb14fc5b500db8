"""Turns ExamplePay's response to a call into an outcome. Pure.

A decline is no error: the payment exists, in the state ``declined``. Only a 422 with a fault is a
refusal. Any other error may come from a proxy or a wrong API key, and the call may have been
carried out. So its outcome is unknown.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from domain.call_key import Operation
from domain.calls import ProviderCall
from ports.provider import Acknowledged, CallOutcome, NotNow, Refused, Unknown
from providers.examplepay.shapes import CreatedObject, Fault

_SUCCESS: Final = (200, 201)
_REFUSED: Final = 422
_CONFLICT: Final = 409
_WRONG_STATE: Final = "wrong_state"
#: A longer Retry-After is cut to this.
RETRY_AFTER_MAX_S: Final = 86_400.0
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

S = TypeVar("S")


def decoded(body: bytes, kind: type[S]) -> S | None:
    """Returns the decoded body, or None if it has another form: then it is not ExamplePay's."""
    try:
        return msgspec.json.decode(body, type=kind)
    except _DECODE_ERRORS:
        return None


def outcome_of_response(
    call: ProviderCall, status: int, body: bytes, headers: Mapping[str, str]
) -> CallOutcome:
    """Returns the outcome of an answered call. ``headers`` are looked up in lower case."""
    if status in _SUCCESS:
        made = decoded(body, CreatedObject)
        return Acknowledged(made.id) if made is not None else Unknown("unreadable response")
    fault = decoded(body, Fault)
    if fault is not None and status == _REFUSED:
        return Refused(fault.fault, fault.explanation or "Refused.")
    if fault is not None and status == _CONFLICT and fault.fault == _WRONG_STATE:
        found = outcome_of_state(call, fault.state or "", call.object_id or "")
        return found or NotNow(f"the payment is {fault.state}")
    what = fault.fault if fault is not None else "no fault given"
    return Unknown(f"HTTP {status}, {what}", retry_after_s=_seconds(headers.get("retry-after")))


def outcome_of_state(call: ProviderCall, state: str, object_id: str) -> CallOutcome | None:
    """Returns a call's outcome by the payment's state, or None if the call has not happened."""
    match call.operation, state:
        case Operation.CANCEL, "voided" | "paid":
            return Acknowledged(object_id)  # final either way; the facts have the result
        case Operation.CAPTURE, "paid":
            return Acknowledged(object_id)
        case Operation.CONFIRM, "awaiting_customer" | "in_progress" | "held" | "paid":
            return Acknowledged(object_id)
        case Operation.CAPTURE | Operation.CONFIRM | Operation.REFUND, "voided":
            return Refused("voided", "The payment is voided at the provider.")
    return None


def _seconds(value: str | None) -> float | None:
    if value is None or not (value.isascii() and value.isdecimal()):
        return None
    return min(float(value), RETRY_AFTER_MAX_S)
