"""Builds webhooks from Stripe's published example objects and the fields of one report.

`shapes/` contains Stripe's example of each object with every property. `tests/contracts` validates
the examples, and the webhooks built here, against Stripe's specification.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from domain.call_key import CallKey

Json = dict[str, Any]

SHAPES: Final = Path(__file__).with_name("shapes")
AMOUNT: Final = 1000
CURRENCY: Final = "eur"
PREFIXES: Final[Mapping[str, str]] = {
    "payment_intent": "pi",
    "payment_method": "pm",
    "charge": "ch",
    "refund": "re",
    "dispute": "dp",
    "payout": "po",
    "radar.early_fraud_warning": "issfr",
}
#: The fields in which an object names the payment's other objects.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "charge": ("payment_intent", "payment_method"),
    "refund": ("payment_intent", "charge"),
    "dispute": ("payment_intent", "charge"),
    "radar.early_fraud_warning": ("payment_intent", "charge"),
}
#: Fields of the examples that a plain card payment does not have.
ABSENT: Final[Mapping[str, tuple[str, ...]]] = {
    "payment_intent": (
        *("canceled_at", "last_payment_error", "next_action", "processing", "shipping"),
        "transfer_data",
    ),
    "charge": ("shipping", "transfer_data"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What one webhook reports.

    Args:
        type: the event's type.
        about: the kind of its object, which is the shape's name.
        minute: the event's time, in minutes since the payment's beginning.
        ours: whether the object carries our IDs, which identify the payment.
        moved: a dispute's movements of money so far, in minor units; negative ones took money.
        fields: the differences from the shape.
        call: of a payment intent, the call of ours that caused it; empty if none did.
        version: the endpoint's API version, if it is not the newest.
    """

    type: str
    about: str
    minute: int
    ours: bool
    moved: tuple[int, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    call: str = "create"
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One payment: the name in all of Stripe's IDs, its start time, and our own IDs."""

    name: str
    began: int
    payment_id: str
    refund_id: str | None = None

    def event_id(self, report: Report) -> str:
        """The event's ID, unique per type and minute."""
        return f"evt_{self.name}_{report.type.replace('.', '_')}_{report.minute}"

    def object_id(self, kind: str) -> str:
        """The ID of the payment's only object of this kind."""
        return f"{PREFIXES[kind]}_{self.name}"

    def call_key(self, report: Report) -> str | None:
        """The key of our call that made the refund; None for all other reports."""
        is_about_refund = report.about in {"refund", "charge"}
        is_our_call = report.ours and is_about_refund and self.refund_id is not None
        return str(CallKey.refund(self.payment_id, self.refund_id or "")) if is_our_call else None

    def metadata(self, kind: str) -> Json:
        """The metadata that our call gave to such an object."""
        refund = {"refund_id": self.refund_id} if kind == "refund" else {}
        return {"payment_id": self.payment_id, **refund}


@cache
def shape(kind: str) -> str:
    """Stripe's example of a kind of object, as JSON."""
    return (SHAPES / f"{kind}.json").read_text()


def event(subject: Subject, report: Report) -> Json:
    """The whole event."""
    whole: Json = json.loads(shape("event"))
    at = subject.began + 60 * report.minute
    key = subject.call_key(report)
    if report.about == "payment_intent" and report.type != "payment_intent.retrieved":
        key = f"{subject.payment_id}:{report.call}" if report.call else None
    return whole | {
        "id": subject.event_id(report),
        "type": report.type,
        "created": at,
        "data": {"object": about(subject, report, at)},
        "request": {"id": "req_1", "idempotency_key": key},
        **({"api_version": report.version} if report.version else {}),
    }


def about(subject: Subject, report: Report, at: int) -> Json:
    """The event's object as it was at that time, in seconds since the Unix epoch."""
    whole: Json = json.loads(shape(report.about))
    whole |= dict.fromkeys(ABSENT.get(report.about, ()))
    metadata = subject.metadata(report.about) if report.ours else {}
    common = {"amount": AMOUNT, "currency": CURRENCY, "metadata": metadata}
    whole |= {name: value for name, value in common.items() if name in whole}
    whole |= {"created": subject.began}
    whole |= {"id": subject.object_id(report.about)}
    whole |= {kind: subject.object_id(kind) for kind in NAMES.get(report.about, ())}
    if "client_secret" in whole:
        whole["client_secret"] = f"{whole['id']}_secret"
    whole |= report.fields
    if whole.get("last_payment_error"):
        whole["last_payment_error"] = {**whole["last_payment_error"], **_attempt(subject)}
    if whole.get("status") == "canceled" and report.about == "payment_intent":
        whole["canceled_at"] = at
    if report.moved:
        whole["balance_transactions"] = [
            _movement(subject, number, amount) for number, amount in enumerate(report.moved)
        ]
    return whole


def _attempt(subject: Subject) -> Json:
    """The failed charge and its payment method."""
    method = json.loads(shape("payment_method")) | {"id": subject.object_id("payment_method")}
    return {"charge": subject.object_id("charge"), "payment_method": method}


def _movement(subject: Subject, number: int, amount: int) -> Json:
    """One movement of a dispute's money; the same number is the same movement, reported again."""
    whole: Json = json.loads(shape("balance_transaction"))
    return whole | {
        "id": f"txn_{subject.name}_{number}",
        "amount": amount,
        "net": amount,
        "currency": CURRENCY,
        "type": "adjustment",
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": subject.object_id("dispute"),
    }
