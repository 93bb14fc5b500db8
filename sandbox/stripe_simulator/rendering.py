"""Renders events in older API versions, of an endpoint or the account.

An event is rendered when it is made, and its content never changes after that.
Source: https://docs.stripe.com/api/events/object, https://docs.stripe.com/webhooks/versioning and
the changelog's page of each version.
"""

from typing import Any

from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.storage.types import JsonObject

#: Before this version, ``request`` was the request's ID, and ``account`` was ``user_id``.
_REQUEST_OBJECT = "2017-05-25"
#: Before this version, payment methods were sources.
_PAYMENT_METHODS = "2019-02-11"
#: Before this version, charges and refunds stood in the objects that they belong to.
_NO_LISTS = "2022-11-15"
#: Before this version, a card's refund had no event of its own.
REFUND_EVENTS = "2024-10-28"
#: Before this version, a released authorization was a refund.
NO_RELEASE_REFUNDS = "2025-03-31"

_SOURCES = {
    "requires_payment_method": "requires_source",
    "requires_action": "requires_source_action",
}


def is_sent(event_type: str, rendered_in: str, endpoint_version: str) -> bool:
    """Whether an endpoint or list of this version has an event; releases are in old ones only."""
    if event_type.startswith("refund.") and endpoint_version < REFUND_EVENTS:
        return False
    is_release = rendered_in < NO_RELEASE_REFUNDS
    return not is_release or endpoint_version < NO_RELEASE_REFUNDS


def render(event: JsonObject, version: str, store: Store) -> JsonObject:
    """The newest form of an event in the form of an older version."""
    about = dict(event["data"]["object"])
    if about["object"] == "payment_intent":
        about = _intent(about, version, store)
    if about["object"] == "charge" and version < _NO_LISTS:
        about["refunds"] = _list(store.of_charge("refund", about["id"]))
    request: Any = event["request"]
    if version < _REQUEST_OBJECT:
        request = request["id"]
    data = {**event["data"], "object": about}
    return {**event, "api_version": version, "data": data, "request": request}


def of_account(event: JsonObject, account: str) -> JsonObject:
    """An event as a platform sees it: it names the connected account that it is of."""
    name = "account" if event["api_version"] >= _REQUEST_OBJECT else "user_id"
    return {**event, name: account}


def _intent(intent: JsonObject, version: str, store: Store) -> JsonObject:
    if version < _NO_LISTS:
        latest = intent.pop("latest_charge", None)
        charge = store.find("charge", latest) if latest else None
        intent["charges"] = _list([charge] if charge is not None else [])
    if version < _PAYMENT_METHODS:
        intent["status"] = _SOURCES.get(intent["status"], intent["status"])
        action = intent.pop("next_action", None)
        if action is not None and action["type"] == "redirect_to_url":
            action = {"type": "authorize_with_url", "authorize_with_url": action["redirect_to_url"]}
        intent["next_source_action"] = action
    return intent


def _list(objects: list[JsonObject]) -> JsonObject:
    return {"object": "list", "data": objects, "has_more": False, "total_count": len(objects)}
