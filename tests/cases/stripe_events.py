"""Events in the form that Stripe publishes, about a payment as the service shows it.

The objects begin as Stripe's published examples (``tests/service/events/shapes``). An endpoint has
one API version, and Stripe renders its events in it: ``docs.stripe.com/webhooks/versioning``.
"""

import json
import secrets
import time
from typing import Any, Final

from sandbox.client import Json
from tests.service.events.webhooks import ABSENT, shape

#: The version of the published examples.
API_VERSION: Final = "2026-10-28.endive"


def new_id(prefix: str) -> str:
    """An ID of Stripe's form that no other object has."""
    return f"{prefix}_{secrets.token_hex(12)}"


def event(
    kind: str,
    about: Json,
    *,
    at_s: int = 0,
    api_version: str | None = API_VERSION,
    caused_by: str | None = None,
    previous: Json | None = None,
    **changes: Any,
) -> Json:
    """An event of this type about an object.

    Args:
        kind: the event's type.
        about: the object, as it is rendered in this version.
        at_s: the event's time, in seconds from now.
        api_version: the version in which the event is rendered.
        caused_by: the idempotency key of the API call that caused it.
        previous: the ``previous_attributes``.
        changes: fields of the event that replace these.
    """
    data: Json = {"object": about}
    if previous is not None:
        data["previous_attributes"] = previous
    whole: Json = {
        **json.loads(shape("event")),
        "id": new_id("evt"),
        "type": kind,
        "api_version": api_version,
        "created": int(time.time()) + at_s,
        "data": data,
        "request": {"id": "req_1", "idempotency_key": caused_by},
    }
    return whole | changes


def intent(payment: Json, status: str, **changes: Any) -> Json:
    """The payment intent of a payment."""
    amount = payment["amount"]
    whole = _example("payment_intent") | {
        "id": payment["provider_object_id"],
        "amount": amount,
        "amount_capturable": amount if status == "requires_capture" else 0,
        "amount_received": amount if status == "succeeded" else 0,
        "canceled_at": int(time.time()) if status == "canceled" else None,
        "capture_method": payment["capture_method"],
        "client_secret": f"{payment['provider_object_id']}_secret_1",
        "currency": payment["currency"].lower(),
        "metadata": {"payment_id": payment["id"]},
        "status": status,
    }
    return whole | changes


def refund(payment: Json, amount: int, status: str = "succeeded", **changes: Any) -> Json:
    """A refund of a payment that somebody else made."""
    whole = _example("refund") | {
        "id": new_id("re"),
        "amount": amount,
        "charge": new_id("ch"),
        "currency": payment["currency"].lower(),
        "payment_intent": payment["provider_object_id"],
        "status": status,
    }
    return whole | changes


def charge(payment: Json, **changes: Any) -> Json:
    """The charge of a payment."""
    whole = _example("charge") | {
        "id": new_id("ch"),
        "amount": payment["amount"],
        "amount_captured": payment["amount"],
        "captured": True,
        "currency": payment["currency"].lower(),
        "metadata": {"payment_id": payment["id"]},
        "payment_intent": payment["provider_object_id"],
    }
    return whole | changes


def dispute(
    payment: Json, status: str = "needs_response", moved: tuple[Json, ...] = (), **changes: Any
) -> Json:
    """A dispute over a whole payment, with its movements of money so far."""
    whole = _example("dispute") | {
        "id": new_id("du"),
        "amount": payment["amount"],
        "balance_transactions": list(moved),
        "charge": new_id("ch"),
        "currency": payment["currency"].lower(),
        "payment_intent": payment["provider_object_id"],
        "status": status,
    }
    return whole | changes


def movement(amount: int, currency: str, **changes: Any) -> Json:
    """A movement of disputed money, in minor units; a negative one took money."""
    whole = json.loads(shape("balance_transaction")) | {
        "id": new_id("txn"),
        "amount": amount,
        "net": amount,
        "currency": currency,
        "type": "adjustment",
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
    }
    return {**whole, **changes}


def fraud_warning(payment: Json, **changes: Any) -> Json:
    """A bank's early warning of fraud."""
    whole = _example("radar.early_fraud_warning") | {
        "id": new_id("issfr"),
        "charge": new_id("ch"),
        "payment_intent": payment["provider_object_id"],
    }
    return whole | changes


def _example(kind: str) -> Json:
    """Stripe's example of an object, without what a plain card payment does not have."""
    whole: Json = json.loads(shape(kind))
    return whole | dict.fromkeys(ABSENT.get(kind, ())) | {"created": int(time.time())}
