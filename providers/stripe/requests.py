"""Turns a provider call into a request to Stripe. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import stripe

from domain.call_key import Operation
from domain.calls import ProviderCall, amount_of, capture_method_of, currency_of
from domain.status import CancelCause
from providers.stripe.currencies import to_stripe
from providers.stripe.refunds import REFUND_ID_KEY
from providers.stripe.translate import CANCELLATION_REASON, PAYMENT_ID_KEY


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
            return _on(call, "capture", {"amount_to_capture": units_of(call)})
        case Operation.CANCEL:
            cause = call.cancel_cause or CancelCause.REQUESTED
            return _on(call, "cancel", {"cancellation_reason": CANCELLATION_REASON[cause]})
        case Operation.REFUND:
            return _request("/v1/refunds", _refund(call))
        case other:
            assert_never(other)


def units_of(call: ProviderCall) -> int:
    """Returns a call's amount in Stripe's units. Raises ValueError if it has none."""
    return to_stripe(amount_of(call), currency_of(call))


def _create(call: ProviderCall) -> dict[str, Any]:
    return {
        "amount": units_of(call),
        "currency": currency_of(call).lower(),
        "payment_method": call.payment_method,
        "allowed_payment_method_types": ["card"],
        "capture_method": capture_method_of(call),
        "confirm": "true",
        "return_url": call.return_url,
        "description": call.description,
        # ours last, so that a client's metadata can't replace it
        "metadata": {**call.metadata, PAYMENT_ID_KEY: call.payment_id},
    }


def _refund(call: ProviderCall) -> dict[str, Any]:
    return {
        "payment_intent": call.object_id,
        "amount": units_of(call),
        "reason": call.reason,
        "metadata": {PAYMENT_ID_KEY: call.payment_id, REFUND_ID_KEY: call.refund_id},
    }


def _on(call: ProviderCall, verb: str, params: Mapping[str, Any]) -> Request:
    return _request(f"/v1/payment_intents/{call.object_id}/{verb}", params)


def _request(path: str, params: Mapping[str, Any]) -> Request:
    return Request(path, {name: value for name, value in params.items() if value is not None})


def frozen(request: Request) -> bytes:
    """Returns a request as it is kept: with the API version, for another reads it otherwise."""
    kept = {"path": request.path, "params": request.params, "version": stripe.api_version}
    return json.dumps(kept, separators=(",", ":")).encode()


def thawed(kept: bytes) -> tuple[str, dict[str, Any], str]:
    """Returns the path, the parameters and the API version of a kept request."""
    request = json.loads(kept)
    return request["path"], request["params"], request["version"]
