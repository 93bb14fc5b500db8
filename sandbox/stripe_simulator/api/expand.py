"""The ``expand`` parameter: replaces IDs in a response by their objects.

Source: https://docs.stripe.com/expand
"""

from collections.abc import Iterable
from typing import Any

from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.storage.types import JsonObject

_KINDS = {
    "latest_charge": "charge",
    "charge": "charge",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
}


def expand(store: Store, body: JsonObject, paths: Iterable[str]) -> JsonObject:
    """A copy of a response with the named fields expanded, where they can be."""
    result = body
    for path in paths:
        result = _expanded(store, result, path.split("."))
    return result


def _expanded(store: Store, value: Any, path: list[str]) -> Any:
    if not path:
        return value
    if isinstance(value, list):
        return [_expanded(store, item, path) for item in value]
    if not isinstance(value, dict):
        return value
    name, *rest = path
    inner = value.get(name)
    if name == "refunds" and value.get("object") == "charge" and inner is None:
        inner = _refunds(store, value["id"])
    elif name in _KINDS and isinstance(inner, str):
        inner = store.find(_KINDS[name], inner) or inner
    if inner is None:
        return value
    return {**value, name: _expanded(store, inner, rest)}


def _refunds(store: Store, charge_id: str) -> JsonObject:
    newest_first = store.of_charge("refund", charge_id)[::-1]
    return {
        "object": "list",
        "data": newest_first,
        "has_more": False,
        "url": f"/v1/charges/{charge_id}/refunds",
    }
