"""Turns a provider call into a request to Stripe. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from domain.call_key import Operation
from domain.calls import ProviderCall, amount_of
from domain.status import CancelCause
from providers.stripe.translate import CANCELLATION_REASON, PAYMENT_ID_KEY, REFUND_ID_KEY


@dataclass(frozen=True, slots=True)
class Request:
    """A POST request to Stripe's API."""

    path: str
    params: Mapping[str, Any]


def request_for(call: ProviderCall) -> Request:
    """Returns the request for a call, without unset parameters."""
    match call.operation:
        case Operation.CREATE:
            return _request("/v1/payment_intents", _create(call))
        case Operation.CONFIRM:
            return _on(
                call,
                "confirm",
                {"payment_method": call.payment_method, "return_url": call.return_url},
            )
        case Operation.CAPTURE:
            return _on(call, "capture", {"amount_to_capture": amount_of(call)})
        case Operation.CANCEL:
            cause = call.cancel_cause or CancelCause.REQUESTED
            return _on(call, "cancel", {"cancellation_reason": CANCELLATION_REASON[cause]})
        case Operation.REFUND:
            return _request("/v1/refunds", _refund(call))
        case other:
            assert_never(other)


def _create(call: ProviderCall) -> dict[str, Any]:
    return {
        "amount": amount_of(call),
        "currency": (call.currency or "").lower(),
        "payment_method": call.payment_method,
        "allowed_payment_method_types": ["card"],
        "capture_method": call.capture_method,
        "confirm": "true",
        "return_url": call.return_url,
        "description": call.description,
        # ours last, so that a client's metadata can't replace it
        "metadata": {**call.metadata, PAYMENT_ID_KEY: call.payment_id},
    }


def _refund(call: ProviderCall) -> dict[str, Any]:
    return {
        "payment_intent": call.object_id,
        "amount": amount_of(call),
        "reason": call.reason,
        "metadata": {PAYMENT_ID_KEY: call.payment_id, REFUND_ID_KEY: call.refund_id},
    }


def _on(call: ProviderCall, verb: str, params: Mapping[str, Any]) -> Request:
    return _request(f"/v1/payment_intents/{call.object_id}/{verb}", params)


def _request(path: str, params: Mapping[str, Any]) -> Request:
    return Request(path, {name: value for name, value in params.items() if value is not None})
