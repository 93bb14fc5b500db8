"""Webhooks as Stripe sends them: its published shapes, with what they say of one payment put in.

`shapes/` holds Stripe's own example of each object with every property; `tests/contracts` holds
the examples, and what is made of them here, to Stripe's description.
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
}
#: How an object names the others of its payment.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "charge": ("payment_intent", "payment_method"),
    "refund": ("payment_intent", "charge"),
    "dispute": ("payment_intent", "charge"),
}
#: Where the examples fill in what a plain payment by card doesn't have.
NOT_THERE: Final[Mapping[str, tuple[str, ...]]] = {
    "payment_intent": (
        *("canceled_at", "last_payment_error", "next_action", "processing", "shipping"),
        "transfer_data",
    ),
    "charge": ("shipping", "transfer_data"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What one webhook says.

    Args:
        type: the event's.
        about: the kind of its object, which is the shape's name.
        minute: when it happened, counted from the payment's beginning.
        ours: whether the object carries our IDs, so that its payment is known from it.
        moved: a dispute's movements of money so far, in minor units; negative took it from us.
        fields: what differs from the shape.
    """

    type: str
    about: str
    minute: int
    ours: bool
    moved: tuple[int, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """One payment: its name in every ID of Stripe's, when it began, and our own IDs."""

    name: str
    began: int
    payment_id: str
    refund_id: str | None = None

    def event_id(self, report: Report) -> str:
        """The event's ID: one per type and minute."""
        return f"evt_{self.name}_{report.type.replace('.', '_')}_{report.minute}"

    def object_id(self, kind: str) -> str:
        """The payment's one object of this kind."""
        return f"{PREFIXES[kind]}_{self.name}"

    def call_key(self, report: Report) -> str | None:
        """The call of ours that brought a refund about; of all else the rows need none."""
        ours = report.ours and report.about == "refund" and self.refund_id is not None
        return str(CallKey.refund(self.payment_id, self.refund_id or "")) if ours else None

    def metadata(self, kind: str) -> Json:
        """What we gave the provider with the call that made such an object."""
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
        key = str(CallKey.create(subject.payment_id))
    return whole | {
        "id": subject.event_id(report),
        "type": report.type,
        "created": at,
        "data": {"object": about(subject, report, at)},
        "request": {"id": "req_1", "idempotency_key": key},
    }


def about(subject: Subject, report: Report, at: int) -> Json:
    """The event's object as it was at that time, in seconds since the Unix epoch."""
    whole: Json = json.loads(shape(report.about))
    whole |= dict.fromkeys(NOT_THERE.get(report.about, ()))
    whole |= {"amount": AMOUNT, "currency": CURRENCY, "created": subject.began}
    whole |= {"metadata": subject.metadata(report.about) if report.ours else {}}
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
    """Which charge failed, with which payment method."""
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
