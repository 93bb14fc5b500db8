"""A row of the table: an event, the webhooks before it, and its effect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.service.events.webhooks import AMOUNT, Json, Report

#: The deadline in Stripe's example of a dispute.
DUE_BY: Final = "2024-08-14T23:59:59Z"
PAID: Final = {"authorized": AMOUNT, "captured": AMOUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The payment after the event, and the recorded outcome.

    Args:
        reason: a part of the reason.
        status: the payment's status.
        came_from: the payment's previous status, if it changed.
        outcome: the input's outcome.
        names_previous: whether the reason names the previous event.
        visible: whether the published payment changed, which creates a version.
        amounts: the amounts other than 0, in minor units.
        next_action: the customer's or the client's next action.
        failure: the failure's code.
        refunds: all refunds.
        disputes: all disputes.
        fraud_warnings: all fraud warnings.
        calls: the provider calls other than the create.
    """

    reason: str
    status: str
    came_from: str | None = None
    outcome: str = "applied"
    names_previous: bool = False
    visible: bool = True
    amounts: Mapping[str, int] = field(default_factory=dict)
    next_action: Json | None = None
    failure: str | None = None
    refunds: tuple[Json, ...] = ()
    disputes: tuple[Json, ...] = ()
    fraud_warnings: tuple[Json, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An event of one type.

    Args:
        report: the event's report.
        effect: its expected effect.
        first: the webhooks before it, in order.
        body: fields of the client's create besides amount and payment method.
        requests_refund: whether the client requests a refund of 400 before the event.
    """

    report: Report
    effect: Effect
    first: tuple[Report, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    requests_refund: bool = False


def refunded(status: str, **more: Any) -> Json:
    """The refund as a client reads it."""
    return {
        "status": status,
        "amount": 400,
        "reason": None,
        "reversed": False,
        "failure": None,
        **more,
    }


def disputed(status: str, withdrawn: int = 0, reinstated: int = 0) -> Json:
    """The dispute as a client reads it."""
    moved = {"currency": "EUR", "withdrawn": withdrawn, "reinstated": reinstated, "adjusted": 0}
    return {
        "status": status,
        "amount": AMOUNT,
        "currency": "EUR",
        "reason": "fraudulent",
        "appeal": False,
        "respond_by": DUE_BY if status.endswith("NEEDS_RESPONSE") else None,
        "funds": [moved] if withdrawn or reinstated else [],
    }
