"""Translates Stripe's events into facts of the domain."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from domain.inputs import (
    DisputeFact,
    Fact,
    Failure,
    Foreign,
    Movement,
    PaymentFact,
    RefundFact,
    Unmodelled,
)
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from ports.provider import Account
from providers.stripe.shapes import Dispute, Event, LastPaymentError, PaymentIntent, Refund
from schemas.identity import is_refund_id, provider_made_id

PAYMENT_STATUS: Final[Mapping[str, ProviderStatus]] = {
    "requires_payment_method": ProviderStatus.OPEN,  # ATTEMPT_FAILED if it has an error
    "requires_confirmation": ProviderStatus.OPEN,
    "requires_action": ProviderStatus.ACTION_NEEDED,
    "processing": ProviderStatus.PENDING,
    "requires_capture": ProviderStatus.AUTHORIZED,
    "succeeded": ProviderStatus.SUCCEEDED,
    "canceled": ProviderStatus.CANCELED,
}
REFUND_STATUS: Final[Mapping[str, RefundStatus]] = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.REQUIRES_ACTION,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
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
#: The cancellation_reason that we send, so that the event itself has the cause of the cancel.
CANCELLATION_REASON: Final[Mapping[CancelCause, str]] = {
    CancelCause.ATTEMPTS_EXHAUSTED: "abandoned",
    CancelCause.REQUESTED: "requested_by_customer",
}
_CANCEL_CAUSE: Final = {reason: cause for cause, reason in CANCELLATION_REASON.items()}

_INTENT: Final = msgspec.json.Decoder(PaymentIntent)
_REFUND: Final = msgspec.json.Decoder(Refund)
_DISPUTE: Final = msgspec.json.Decoder(Dispute)

#: Metadata keys that we set, and read in events and objects.
PAYMENT_ID_KEY: Final = "payment_id"
REFUND_ID_KEY: Final = "refund_id"


def _failure(error: LastPaymentError) -> Failure:
    code = error.decline_code or error.code or "unknown"
    return Failure(code, error.message or "The payment method was not accepted.")


def _attempt_ref(error: LastPaymentError) -> str | None:
    """Returns the failed charge or, if authentication failed before one, the payment method."""
    method = error.payment_method or {}
    ref = error.charge or method.get("id")
    return ref if isinstance(ref, str) else None


def _action_url(action: Mapping[str, Any] | None) -> str | None:
    redirect = (action or {}).get("redirect_to_url")
    url = redirect.get("url") if isinstance(redirect, dict) else None
    return url if isinstance(url, str) else None


def _payment(event: Event, at: datetime) -> Fact:
    intent = _INTENT.decode(event.data.object)
    status = PAYMENT_STATUS.get(intent.status)
    if status is None:
        return _unknown_status(event, intent.status)
    error = intent.last_payment_error
    failed = status is ProviderStatus.OPEN and error is not None
    return PaymentFact(
        event_id=event.id,
        occurred_at=at,
        object_id=intent.id,
        status=ProviderStatus.ATTEMPT_FAILED if failed else status,
        amount=intent.amount,
        currency=intent.currency.upper(),
        captured=intent.amount_received if status is ProviderStatus.SUCCEEDED else 0,
        attempt_ref=_attempt_ref(error) if failed and error is not None else None,
        caused_by=event.request.idempotency_key if event.request is not None else None,
        failure=_failure(error) if failed and error is not None else None,
        action_url=_action_url(intent.next_action),
        cancel_cause=_CANCEL_CAUSE.get(intent.cancellation_reason or "", CancelCause.PROVIDER)
        if status is ProviderStatus.CANCELED
        else None,
    )


def _refund(event: Event, at: datetime) -> Fact:
    refund = _REFUND.decode(event.data.object)
    status = REFUND_STATUS.get(refund.status or "pending")
    if status is None:
        return _unknown_status(event, refund.status or "")
    if refund.payment_intent is None:
        return Unmodelled(event.id, event.type, "it belongs to no payment intent")
    claims = (refund.metadata or {}).get(REFUND_ID_KEY, "")
    failure = None
    if refund.failure_reason is not None:
        failure = Failure(refund.failure_reason, "The refund did not reach the customer.")
    return RefundFact(
        event_id=event.id,
        occurred_at=at,
        object_id=refund.payment_intent,
        ref=refund.id,
        refund_id=provider_made_id("ref", "stripe", refund.id),
        status=status,
        amount=refund.amount,
        currency=refund.currency.upper(),
        reason=refund.reason,
        failure=failure,
        claims=claims if is_refund_id(claims) else None,
        caused_by=event.request.idempotency_key if event.request is not None else None,
    )


def _dispute(event: Event, at: datetime) -> Fact:
    dispute = _DISPUTE.decode(event.data.object)
    status = DISPUTE_STATUS.get(dispute.status)
    if status is None:
        return _unknown_status(event, dispute.status)
    if dispute.payment_intent is None:
        return Unmodelled(event.id, event.type, "it belongs to no payment intent")
    return DisputeFact(
        event_id=event.id,
        occurred_at=at,
        object_id=dispute.payment_intent,
        dispute_id=provider_made_id("dis", "stripe", dispute.id),
        status=status,
        amount=dispute.amount,
        currency=dispute.currency.upper(),
        reason=dispute.reason,
        movements=tuple(Movement(m.id, -m.amount) for m in dispute.balance_transactions),
    )


def _unknown_status(event: Event, status: str) -> Unmodelled:
    why = f"its status {status[:40]!r} is unknown"
    return Unmodelled(event.id, event.type, why, unknown_status=True)


Translator = Callable[[Event, datetime], Fact]

#: The event types that concern a payment. All others are recorded as ignored.
TRANSLATORS: Final[Mapping[str, Translator]] = {
    "payment_intent.created": _payment,
    "payment_intent.requires_action": _payment,
    "payment_intent.processing": _payment,
    "payment_intent.amount_capturable_updated": _payment,
    "payment_intent.payment_failed": _payment,
    "payment_intent.succeeded": _payment,
    "payment_intent.canceled": _payment,
    # made by ``StripeApi.retrieve`` from the object itself
    "payment_intent.retrieved": _payment,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.refund.updated": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
}


def translate(event: Event, account: Account) -> Fact:
    """Returns the fact of an event. Raises msgspec.ValidationError for a malformed object."""
    why = account.refuses(event.account, is_live=event.livemode)
    if why is not None:
        return Foreign(event.id, event.type, why)
    translator = TRANSLATORS.get(event.type)
    if translator is None:
        return Unmodelled(event.id, event.type, "this type of event has no effect on a payment")
    return translator(event, datetime.fromtimestamp(event.created, UTC))
