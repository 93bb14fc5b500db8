"""A row of the table: an event, what came before it, and what it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.service.events.webhooks import AMOUNT, Json, Report

PAID: Final = {"authorized": AMOUNT, "captured": AMOUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Where the payment is after the event, and what is recorded of it.

    Args:
        reason: a part of the reason.
        status: the payment's.
        came_from: the payment's status before, where it was another.
        outcome: the input's.
        lost_to: whether the reason names the event before, which the outcome is due to.
        seen: whether the payment that the world sees is another, which makes a version.
        amounts: those that are not 0, in minor units.
        next_action: the customer's or the client's.
        failure: its code.
        refunds: all of them.
        disputes: all of them.
        asked: what the provider is asked for, besides to create the payment.
    """

    reason: str
    status: str
    came_from: str | None = None
    outcome: str = "applied"
    lost_to: bool = False
    seen: bool = True
    amounts: Mapping[str, int] = field(default_factory=dict)
    next_action: Json | None = None
    failure: str | None = None
    refunds: tuple[Json, ...] = ()
    disputes: tuple[Json, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An event of one type.

    Args:
        says: the event.
        effect: what comes of it.
        first: the webhooks that came before, in this order.
        body: what the client creates the payment with, besides amount and payment method.
        asks_refund: whether the client then asks for a refund of 400, before the event.
    """

    says: Report
    effect: Effect
    first: tuple[Report, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    asks_refund: bool = False


def refunded(status: str, **more: Any) -> Json:
    """How the refund is shown."""
    return {
        "status": status,
        "amount": 400,
        "reason": None,
        "reversed": False,
        "failure": None,
        **more,
    }


def disputed(status: str, withdrawn: int = 0, reinstated: int = 0) -> Json:
    """How the dispute is shown."""
    moved = {"funds_withdrawn": withdrawn, "funds_reinstated": reinstated}
    return {"status": status, "amount": AMOUNT, "reason": "fraudulent", **moved}
