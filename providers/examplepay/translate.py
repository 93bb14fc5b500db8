"""Translates ExamplePay's events into facts of the domain."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Final

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
from domain.status import (
    CancelCause,
    DisputeStatus,
    MovementKind,
    ProviderStatus,
    RefundStatus,
)
from ports.provider import Account
from providers.examplepay.money import minor_units
from providers.examplepay.shapes import (
    Attempt,
    Chargeback,
    Event,
    Move,
    Payment,
    Reason,
    Refund,
)
from schemas.identity import is_refund_id, provider_made_id

NAME: Final = "examplepay"

PAYMENT_STATUS: Final[Mapping[str, ProviderStatus]] = {
    "new": ProviderStatus.OPEN,
    "awaiting_customer": ProviderStatus.ACTION_NEEDED,
    "in_progress": ProviderStatus.PENDING,
    "declined": ProviderStatus.ATTEMPT_FAILED,
    "held": ProviderStatus.AUTHORIZED,
    "paid": ProviderStatus.SUCCEEDED,
    "voided": ProviderStatus.CANCELED,
}
REFUND_STATUS: Final[Mapping[str, RefundStatus]] = {
    "queued": RefundStatus.PENDING,
    "details_wanted": RefundStatus.REQUIRES_ACTION,
    "settled": RefundStatus.SUCCEEDED,
    "bounced": RefundStatus.FAILED,
    "dropped": RefundStatus.CANCELED,
}
CHARGEBACK_STATUS: Final[Mapping[str, DisputeStatus]] = {
    "inquired": DisputeStatus.WARNING_NEEDS_RESPONSE,
    "inquiry_answered": DisputeStatus.WARNING_UNDER_REVIEW,
    "inquiry_ended": DisputeStatus.WARNING_CLOSED,
    "opened": DisputeStatus.NEEDS_RESPONSE,
    "contested": DisputeStatus.UNDER_REVIEW,
    "averted": DisputeStatus.PREVENTED,
    "upheld": DisputeStatus.LOST,
    "overturned": DisputeStatus.WON,
}
#: The void_reason that we send, for people. Anybody can choose it, so we never read it.
VOID_REASON: Final[Mapping[CancelCause, str]] = {
    CancelCause.ATTEMPTS_EXHAUSTED: "tries_used_up",
    CancelCause.REQUESTED: "merchant_wish",
}
#: Reasons that a client can give for a refund. Any other reason is passed on unchanged.
REFUND_REASON: Final[Mapping[str, str]] = {
    "duplicate": "paid_twice",
    "fraudulent": "fraud",
    "requested_by_customer": "customer_wish",
}
_ASKED_REASON: Final = {theirs: ours for ours, theirs in REFUND_REASON.items()}


def event_id(their_id: str) -> str:
    """Returns an event ID that is unique among all providers: theirs is unique at ExamplePay."""
    return f"{NAME}:{their_id}"


def _failure(reason: Reason | None) -> Failure | None:
    return Failure(reason.code, reason.text) if reason is not None else None


def _declined(attempt: Attempt) -> Failure:
    return _failure(attempt.decline) or Failure("unknown", "The instrument was not accepted.")


def _payment(event: Event) -> Fact:
    payment = msgspec.json.decode(event.subject, type=Payment)
    status = PAYMENT_STATUS.get(payment.state)
    if status is None:
        return _unknown_status(event, payment.state)
    currency = payment.amount.currency
    captured = minor_units(payment.captured, currency)
    failed = status is ProviderStatus.ATTEMPT_FAILED
    attempt = payment.attempts[-1] if failed and payment.attempts else None
    canceled = status is ProviderStatus.CANCELED
    return PaymentFact(
        event_id=event_id(event.id),
        occurred_at=event.occurred_at.astimezone(UTC),
        object_id=payment.id,
        status=status,
        amount=minor_units(payment.amount.value, currency),
        currency=currency,
        captured=captured if status is ProviderStatus.SUCCEEDED else 0,
        attempt_ref=attempt.id if attempt is not None else None,
        failure=_declined(attempt) if attempt is not None else None,
        action_url=payment.customer_step.url if payment.customer_step is not None else None,
        caused_by=payment.void_key if canceled else None,
        names_cause=canceled,
    )


def _refund(event: Event) -> Fact:
    refund = msgspec.json.decode(event.subject, type=Refund)
    status = REFUND_STATUS.get(refund.state)
    if status is None:
        return _unknown_status(event, refund.state)
    reference = refund.reference or ""
    return RefundFact(
        event_id=event_id(event.id),
        occurred_at=event.occurred_at.astimezone(UTC),
        object_id=refund.payment,
        ref=refund.id,
        refund_id=provider_made_id("ref", NAME, refund.id),
        status=status,
        amount=minor_units(refund.amount.value, refund.amount.currency),
        currency=refund.amount.currency,
        reason=_ASKED_REASON.get(refund.reason or "", refund.reason),
        failure=_failure(refund.bounce),
        # free text that anybody may write; only this form can be ours
        claims=reference if is_refund_id(reference) else None,
    )


def _chargeback(event: Event) -> Fact:
    chargeback = msgspec.json.decode(event.subject, type=Chargeback)
    status = CHARGEBACK_STATUS.get(chargeback.state)
    if status is None:
        return _unknown_status(event, chargeback.state)
    currency = chargeback.amount.currency
    return DisputeFact(
        event_id=event_id(event.id),
        occurred_at=event.occurred_at.astimezone(UTC),
        object_id=chargeback.payment,
        dispute_id=provider_made_id("dis", NAME, chargeback.id),
        status=status,
        amount=minor_units(chargeback.amount.value, currency),
        currency=currency,
        reason=chargeback.reason,
        movements=tuple(_movement(move, currency) for move in chargeback.moves),
    )


def _movement(move: Move, currency: str) -> Movement:
    """Returns the movement; ExamplePay moves money in the currency of the chargeback."""
    amount = minor_units(move.value, currency)
    if move.direction == "taken":
        return Movement(move.id, amount, currency, MovementKind.WITHDRAWN)
    return Movement(move.id, -amount, currency, MovementKind.REINSTATED)


def _unknown_status(event: Event, state: str) -> Unmodelled:
    why = f"its status {state[:40]!r} is unknown"
    return Unmodelled(event_id(event.id), event.name, why, unknown_status=True)


#: The kinds of subjects that concern a payment. Their state has what happened.
TRANSLATORS: Final[Mapping[str, Callable[[Event], Fact]]] = {
    "payment": _payment,
    "refund": _refund,
    "chargeback": _chargeback,
}


def subject_kind(event: Event) -> str:
    """Returns the kind of an event's subject: ``payment`` of ``payment/paid``."""
    return event.name.partition("/")[0]


def is_about_payment(event: Event) -> bool:
    """Whether an event is about a payment itself, in whatever form or state."""
    return subject_kind(event) == "payment"


def translate(event: Event, account: Account | None) -> Fact:
    """Returns the fact of an event. Raises msgspec.ValidationError or MalformedWebhookError."""
    why = account.refuses(event.merchant, is_live=not event.trial) if account is not None else None
    if why is not None:
        return Foreign(event_id(event.id), event.name, why)
    translator = TRANSLATORS.get(subject_kind(event))
    if translator is None:
        why = "this kind of event has no effect on a payment"
        return Unmodelled(event_id(event.id), event.name, why)
    return translator(event)
