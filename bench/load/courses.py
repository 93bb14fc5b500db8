"""The possible courses of a payment at Stripe, as tables of events and their objects.

The simulator's builders make the objects, in the shapes that Stripe publishes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sandbox.stripe_simulator.objects import objects
from sandbox.stripe_simulator.objects.payment_methods import TEST_CARDS
from sandbox.stripe_simulator.storage.types import JsonObject

CARD: Final = TEST_CARDS["pm_card_visa"]


@dataclass(frozen=True, slots=True)
class Facts:
    """The data of one payment's objects; ``amount`` is in minor units."""

    amount: int
    intent: str
    charge: str
    refund: str
    payment_method: str
    created: int
    cancellation_reason: str | None


@dataclass(frozen=True, slots=True)
class Course:
    """One course of a payment.

    ``steps`` are (seconds after the payment's creation, event type); ``captured`` and ``refunded``
    say whether the whole amount is captured and refunded at the end.
    """

    name: str
    weight: int
    status: Literal["SUCCEEDED", "FAILED", "CANCELED"]
    captured: bool
    refunded: bool
    capture_method: Literal["automatic", "manual"]
    cancellation_reason: str | None
    steps: tuple[tuple[float, str], ...]


COURSES: Final = (
    Course("paid", 30, "SUCCEEDED", True, False, "automatic", None, (
        (0.0, "payment_intent.created"),
        (0.8, "charge.succeeded"),
        (0.9, "payment_intent.succeeded"),
        (3.0, "charge.updated"),
    )),
    Course("authenticated", 20, "SUCCEEDED", True, False, "automatic", None, (
        (0.0, "payment_intent.created"),
        (0.7, "payment_intent.requires_action"),
        (6.0, "charge.succeeded"),
        (6.1, "payment_intent.succeeded"),
    )),
    Course("processing", 10, "SUCCEEDED", True, False, "automatic", None, (
        (0.0, "payment_intent.created"),
        (0.8, "payment_intent.processing"),
        (0.9, "charge.pending"),
        (8.0, "charge.succeeded"),
        (8.1, "payment_intent.succeeded"),
    )),
    Course("captured", 15, "SUCCEEDED", True, False, "manual", None, (
        (0.0, "payment_intent.created"),
        (0.8, "charge.succeeded"),
        (0.9, "payment_intent.amount_capturable_updated"),
        (5.0, "charge.captured"),
        (5.1, "payment_intent.succeeded"),
    )),
    Course("refunded", 15, "SUCCEEDED", True, True, "automatic", None, (
        (0.0, "payment_intent.created"),
        (0.7, "payment_intent.requires_action"),
        (4.0, "charge.succeeded"),
        (4.1, "payment_intent.succeeded"),
        (8.0, "refund.created"),
        (8.1, "charge.refunded"),
        (9.0, "refund.updated"),
    )),
    Course("declined", 7, "FAILED", False, False, "automatic", "abandoned", (
        (0.0, "payment_intent.created"),
        (0.8, "charge.failed"),
        (0.9, "payment_intent.payment_failed"),
        (2.0, "payment_intent.canceled"),
    )),
    Course("released", 3, "CANCELED", False, False, "manual", "requested_by_customer", (
        (0.0, "payment_intent.created"),
        (0.8, "charge.succeeded"),
        (0.9, "payment_intent.amount_capturable_updated"),
        (6.0, "charge.refunded"),
        (6.1, "payment_intent.canceled"),
    )),
)  # fmt: skip


def _error(facts: Facts) -> JsonObject:
    return {
        "advice_code": "try_again_later",
        "charge": facts.charge,
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": "Your card was declined.",
        "payment_method": objects.payment_method(facts.payment_method, facts.created, CARD),
        "type": "card_error",
    }


def _redirect(facts: Facts) -> JsonObject:
    url = f"https://hooks.stripe.com/3d_secure_2/hosted?payment_intent={facts.intent}"
    return {
        "redirect_to_url": {"return_url": "https://shop.example/return", "url": url},
        "type": "redirect_to_url",
    }


#: The changes of an event's object at that event.
CHANGES: Final[Mapping[str, Callable[[Facts], JsonObject]]] = {
    "payment_intent.created": lambda _: {"status": "requires_confirmation"},
    "payment_intent.requires_action": lambda f: {
        "status": "requires_action",
        "next_action": _redirect(f),
    },
    "payment_intent.processing": lambda f: {"status": "processing", "latest_charge": f.charge},
    "payment_intent.amount_capturable_updated": lambda f: {
        "status": "requires_capture",
        "amount_capturable": f.amount,
        "latest_charge": f.charge,
    },
    "payment_intent.payment_failed": lambda f: {
        "status": "requires_payment_method",
        "latest_charge": f.charge,
        "last_payment_error": _error(f),
    },
    "payment_intent.succeeded": lambda f: {
        "status": "succeeded",
        "amount_capturable": 0,
        "amount_received": f.amount,
        "latest_charge": f.charge,
        "next_action": None,
    },
    "payment_intent.canceled": lambda f: {
        "status": "canceled",
        "amount_capturable": 0,
        "canceled_at": f.created + 6,
        "cancellation_reason": f.cancellation_reason,
    },
    "charge.pending": lambda _: {"status": "pending"},
    "charge.succeeded": lambda _: {"status": "succeeded", "paid": True},
    "charge.captured": lambda f: {"captured": True, "amount_captured": f.amount},
    "charge.updated": lambda f: {"balance_transaction": f"txn_{f.charge}"},
    "charge.refunded": lambda f: {"refunded": True, "amount_refunded": f.amount},
    "charge.failed": lambda _: {
        "status": "failed",
        "failure_code": "card_declined",
        "failure_message": "Your card was declined.",
    },
    "refund.created": lambda _: {"status": "pending"},
    "refund.updated": lambda _: {"status": "succeeded"},
}


def first_objects(facts: Facts, metadata: Mapping[str, str], **given: Any) -> dict[str, JsonObject]:
    """A payment's initial objects, by the first part of their event types."""
    intent = objects.payment_intent(
        facts.intent,
        facts.created,
        amount=facts.amount,
        client_secret=f"{facts.intent}_secret_{facts.charge}",
        currency="eur",
        metadata=dict(metadata),
        payment_method=facts.payment_method,
        **given,
    )
    charge = objects.charge(facts.charge, facts.created, intent, CARD)
    refund = objects.refund(
        facts.refund, facts.created, charge, facts.amount, metadata=dict(metadata)
    )
    return {"payment_intent": intent, "charge": charge, "refund": refund}
