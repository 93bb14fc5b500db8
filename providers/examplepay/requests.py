"""Turns a provider call into a request to ExamplePay. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never
from urllib.parse import quote

from domain.call_key import Operation
from domain.calls import ProviderCall, amount_of, capture_method_of, currency_of
from domain.status import CancelCause
from providers.examplepay.money import decimal
from providers.examplepay.translate import REFUND_REASON, VOID_REASON

CAPTURE: Final[Mapping[str, str]] = {"automatic": "at_once", "manual": "on_request"}


@dataclass(frozen=True, slots=True)
class Request:
    """A POST request to ExamplePay's API."""

    path: str
    body: Mapping[str, Any]


def request_for(call: ProviderCall) -> Request:
    """Returns the request for a call, without unset fields."""
    match call.operation:
        case Operation.CREATE:
            return _request("/payments", _create(call))
        case Operation.CONFIRM:
            body = {"instrument": call.payment_method, "return_to": call.return_url}
            return _request(f"{payment_path(call)}/attempts", body)
        case Operation.CAPTURE:
            return _request(f"{payment_path(call)}/capture", {"amount": _money(call)})
        case Operation.CANCEL:
            reason = VOID_REASON[call.cancel_cause or CancelCause.REQUESTED]
            return _request(f"{payment_path(call)}/void", {"reason": reason})
        case Operation.REFUND:
            return _request("/refunds", _refund(call))
        case other:
            assert_never(other)


def payment_path(call: ProviderCall) -> str:
    """Returns the path of a call's payment."""
    return path_of(call.object_id or "")


def path_of(object_id: str) -> str:
    """Returns the path of a payment."""
    return f"/payments/{quote(object_id, safe='')}"


def _create(call: ProviderCall) -> dict[str, Any]:
    return {
        "amount": _money(call),
        "instrument": call.payment_method,
        "capture": CAPTURE[capture_method_of(call)],
        "return_to": call.return_url,
        "note": call.description,
        "tags": dict(call.metadata) or None,
        "reference": call.payment_id,
    }


def _refund(call: ProviderCall) -> dict[str, Any]:
    return {
        "payment": call.object_id,
        "amount": _money(call),
        "reason": REFUND_REASON.get(call.reason or "", call.reason),
        "reference": call.refund_id,
    }


def _money(call: ProviderCall) -> dict[str, str]:
    currency = currency_of(call)
    return {"value": decimal(amount_of(call), currency), "currency": currency}


def _request(path: str, body: Mapping[str, Any]) -> Request:
    return Request(path, {name: value for name, value in body.items() if value is not None})
