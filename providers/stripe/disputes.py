"""Translates Stripe's disputes and early fraud warnings into facts of the domain.

Source: https://docs.stripe.com/api/disputes/object,
https://docs.stripe.com/reports/reporting-categories and
https://docs.stripe.com/api/radar/early_fraud_warnings/object
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from domain.inputs import DisputeFact, Fact, FraudWarningFact, Movement
from domain.status import DisputeStatus, MovementKind
from providers.stripe.currencies import from_stripe
from providers.stripe.shapes import (
    BalanceTransaction,
    Dispute,
    EarlyFraudWarning,
    Event,
    EvidenceDetails,
)
from providers.stripe.unmodelled import of_no_intent, unknown_status
from schemas.identity import provider_made_id

DISPUTE_STATUS: Final[Mapping[str, DisputeStatus]] = {
    "warning_needs_response": DisputeStatus.WARNING_NEEDS_RESPONSE,
    "warning_under_review": DisputeStatus.WARNING_UNDER_REVIEW,
    "warning_closed": DisputeStatus.WARNING_CLOSED,
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_under_review": DisputeStatus.UNDER_REVIEW,
    "prevented": DisputeStatus.PREVENTED,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
#: The statuses of an appeal against a decision.
APPEALS: Final = frozenset({"appeal_needs_response", "appeal_under_review"})
#: By reporting category, and whether our balance fell. Anything else corrects one of them: a
#: change of an exchange rate reinstates nothing.
_MOVEMENT_KIND: Final[Mapping[tuple[str, bool], MovementKind]] = {
    ("dispute", True): MovementKind.WITHDRAWN,
    ("dispute_reversal", False): MovementKind.REINSTATED,
}

_DISPUTE: Final = msgspec.json.Decoder(Dispute)
_WARNING: Final = msgspec.json.Decoder(EarlyFraudWarning)


def dispute_fact(event: Event, at: datetime) -> Fact:
    """Returns the fact of an event about a dispute. Raises msgspec.ValidationError."""
    dispute = _DISPUTE.decode(event.data.object)
    status = DISPUTE_STATUS.get(dispute.status)
    if status is None:
        return unknown_status(event, dispute.status)
    if dispute.payment_intent is None:
        return of_no_intent(event)
    currency = dispute.currency.upper()
    return DisputeFact(
        event_id=event.id,
        occurred_at=at,
        object_id=dispute.payment_intent,
        dispute_id=provider_made_id("dis", "stripe", dispute.id),
        status=status,
        amount=from_stripe(dispute.amount, currency),
        currency=currency,
        reason=dispute.reason,
        movements=tuple(_movement(each) for each in dispute.balance_transactions),
        appeal=dispute.status in APPEALS,
        respond_by=_deadline(dispute.evidence_details),
    )


def _deadline(details: EvidenceDetails | None) -> datetime | None:
    due_by = details.due_by if details is not None else None
    return datetime.fromtimestamp(due_by, UTC) if due_by else None


def _movement(moved: BalanceTransaction) -> Movement:
    kind = _MOVEMENT_KIND.get((moved.reporting_category, moved.amount < 0), MovementKind.ADJUSTED)
    currency = moved.currency.upper()
    return Movement(moved.id, -from_stripe(moved.amount, currency), currency, kind)


def fraud_warning_fact(event: Event, at: datetime) -> Fact:
    """Returns the fact of an event about an early fraud warning. Raises msgspec.ValidationError."""
    warning = _WARNING.decode(event.data.object)
    if warning.payment_intent is None:
        return of_no_intent(event)
    return FraudWarningFact(
        event_id=event.id,
        occurred_at=at,
        object_id=warning.payment_intent,
        warning_id=provider_made_id("fw", "stripe", warning.id),
        type=warning.fraud_type,
        actionable=warning.actionable,
    )
