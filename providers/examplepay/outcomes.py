"""Turns ExamplePay's response to a call into an outcome. Pure.

A decline is no error: the payment exists, in the state ``declined``. Only a 422 with a fault is a
refusal. Any other error may come from a proxy or a wrong API key, and the call may have been
carried out. So its outcome is unknown.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from domain.call_key import Operation
from domain.calls import ProviderCall, is_last_cancel
from ports import texts
from ports.provider import Acknowledged, CallOutcome, NotNow, Refused, Unknown
from providers.examplepay.shapes import CreatedObject, Fault

_SUCCESS: Final = (200, 201)
_REFUSED: Final = 422
_CONFLICT: Final = 409
_TOO_MANY_REQUESTS: Final = 429
_WRONG_STATE: Final = "wrong_state"
#: The key was used for another request, so only a look-up shows what happened.
_KEY_REUSED: Final = "operation_key_reused"
#: A longer Retry-After is cut to this.
RETRY_AFTER_MAX_S: Final = 86_400.0
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

S = TypeVar("S")


def decoded(body: bytes, kind: type[S]) -> S | None:
    """Returns the decoded body, or None if it has another form: then it is not ExamplePay's."""
    try:
        return texts.decoded(msgspec.json.Decoder(kind).decode, body)
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
    return Unknown(
        f"HTTP {status}, {what}",
        retry_after_s=retry_after_in(headers),
        repeats=fault is not None and fault.fault == _KEY_REUSED,
        is_available=status == _TOO_MANY_REQUESTS,
    )


def outcome_of_state(call: ProviderCall, state: str, object_id: str) -> CallOutcome | None:
    """Returns a call's outcome by the payment's state, or None if the call has not happened."""
    match call.operation, state:
        case Operation.CANCEL, "paid":
            return Refused("already_captured", "The payment was captured before.")
        case Operation.CANCEL, "voided" if is_last_cancel(call):
            return Refused("already_final", "The payment was voided before.")
        case Operation.CANCEL, "voided":
            return Acknowledged(object_id)  # as the client asked, by anybody
        case Operation.CAPTURE, "paid":
            return Acknowledged(object_id)
        case Operation.CONFIRM, "awaiting_customer" | "in_progress" | "held" | "paid":
            return Acknowledged(object_id)
        case Operation.CAPTURE | Operation.CONFIRM | Operation.REFUND, "voided":
            return Refused("voided", "The payment is voided at the provider.")
    return None


def retry_after_in(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds for which ExamplePay wants to be left alone, if it says so."""
    value = headers.get("retry-after")
    if value is None or not (value.isascii() and value.isdecimal()):
        return None
    return min(float(value), RETRY_AFTER_MAX_S)
