"""What ExamplePay's answer to a call means. Pure: status and bytes in, an outcome out.

A decline is no error here: the payment is made, in the state ``declined``. A refusal is only a 422
with a fault that says so; whatever else goes wrong, somebody between us or the operator's API key
may be why, and the call may have been carried out.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from domain.call_key import Operation
from domain.calls import ProviderCall
from ports.provider import Acknowledged, CallOutcome, NotNow, Refused, Unknown
from providers.examplepay.shapes import Fault, Made

_MADE: Final = (200, 201)
_REFUSED: Final = 422
_CONFLICT: Final = 409
_WRONG_STATE: Final = "wrong_state"
#: Nobody is believed who asks us to wait for longer.
RETRY_AFTER_MAX_S: Final = 86_400.0
_NO_ANSWER: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

S = TypeVar("S")


def decoded(body: bytes, kind: type[S]) -> S | None:
    """The answer's body; None where it is no such thing, so somebody else answered."""
    try:
        return msgspec.json.decode(body, type=kind)
    except _NO_ANSWER:
        return None


def outcome_of_answer(
    call: ProviderCall, status: int, body: bytes, headers: Mapping[str, str]
) -> CallOutcome:
    """The outcome of a call that was answered. ``headers`` are looked up in lower case."""
    if status in _MADE:
        made = decoded(body, Made)
        return Acknowledged(made.id) if made is not None else Unknown("the answer is unreadable")
    fault = decoded(body, Fault)
    if fault is not None and status == _REFUSED:
        return Refused(fault.fault, fault.explanation or "Refused.")
    if fault is not None and status == _CONFLICT and fault.fault == _WRONG_STATE:
        found = outcome_of_state(call, fault.state or "", call.object_id or "")
        return found or NotNow(f"the payment is {fault.state}")
    what = fault.fault if fault is not None else "no fault named"
    return Unknown(f"HTTP {status}, {what}", retry_after_s=_seconds(headers.get("retry-after")))


def outcome_of_state(call: ProviderCall, state: str, object_id: str) -> CallOutcome | None:
    """What the payment's own state says of a call on it; None where the call has not happened."""
    match call.operation, state:
        case Operation.CANCEL, "voided" | "paid":
            return Acknowledged(object_id)  # it is over either way; the facts say how
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
