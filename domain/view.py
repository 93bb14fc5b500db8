"""The payment as clients see it: status, amounts, next action. Derived from what is known.

``snapshot`` is the value of ``payment-state`` and of ``GET /v1/payments/{id}``.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from domain.facts import join, refunds
from domain.inputs import Failure, PaymentFact
from domain.payment import Attempt, Dispute, Payment
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus, Status
from domain.terms import PublishedTerms, published_terms

_LIVE_STATUS: Final = {
    ProviderStatus.OPEN: Status.PROCESSING,
    ProviderStatus.PENDING: Status.PROCESSING,
    ProviderStatus.ACTION_NEEDED: Status.REQUIRES_ACTION,
    ProviderStatus.AUTHORIZED: Status.AUTHORIZED,
}


class NextAction(Struct, frozen=True):
    """What has to happen before the payment continues: ``redirect`` or ``new_payment_method``."""

    type: str
    url: str | None = None


class Amounts(Struct, frozen=True):
    """Minor units; 0 <= refunded <= captured <= authorized."""

    authorized: int
    captured: int
    refunded: int


class RefundView(Struct, frozen=True, kw_only=True):
    """One refund, as published."""

    id: str
    status: RefundStatus
    amount: int
    reason: str | None
    failure: Failure | None
    reversed: bool


class DisputeView(Struct, frozen=True, kw_only=True):
    """One dispute, as published."""

    id: str
    status: DisputeStatus
    amount: int
    reason: str | None
    funds_withdrawn: int
    funds_reinstated: int


class Snapshot(PublishedTerms, frozen=True):
    """The whole payment as of ``version``, as published."""

    id: str
    tenant: str
    version: int
    status: Status
    amounts: Amounts
    attempts: int
    next_action: NextAction | None
    failure: Failure | None
    cancel_requested: bool
    provider_object_id: str | None
    refunds: tuple[RefundView, ...]
    disputes: tuple[DisputeView, ...]
    created_at: datetime
    updated_at: datetime


def started_attempts(payment: Payment) -> tuple[Attempt, ...]:
    """The attempts the provider did not refuse to make."""
    return tuple(a for a in payment.attempts if a.refusal is None)


def has_failed(payment: Payment, attempt: Attempt) -> bool:
    """Whether the provider reported a failure after this attempt was started."""
    return len(join.failures(payment.facts)) > attempt.failures_before


def live_fact(payment: Payment) -> PaymentFact | None:
    """The latest fact about the current attempt; None where there is none."""
    if not any(f.status is ProviderStatus.ATTEMPT_FAILED for f in payment.facts):
        return join.latest_live(payment.facts, 0)
    over = [a.number for a in started_attempts(payment) if has_failed(payment, a)]
    return join.latest_live(payment.facts, max(over, default=0))


def exhausted(payment: Payment) -> bool:
    """Whether every attempt has failed, so that only cancelling at the provider is left."""
    return len(join.failures(payment.facts)) >= payment.max_attempts and live_fact(payment) is None


def awaits_payment_method(payment: Payment) -> bool:
    """Whether the last attempt failed, another is allowed, and none has been started."""
    failed = len(join.failures(payment.facts))
    return (
        0 < failed < payment.max_attempts
        and all(has_failed(payment, a) for a in started_attempts(payment))
        and live_fact(payment) is None
    )


def status_of(payment: Payment) -> Status:
    """The payment's status, derived from everything known about it."""
    terminal = join.terminal(payment.facts)
    if terminal is not None:
        if terminal.status is ProviderStatus.SUCCEEDED:
            return Status.SUCCEEDED
        has_failed_finally = terminal.cancel_cause is CancelCause.ATTEMPTS_EXHAUSTED
        return Status.FAILED if has_failed_finally else Status.CANCELED
    if payment.create_refusal is not None:
        return Status.FAILED
    live = live_fact(payment)
    if live is not None:
        return _LIVE_STATUS[live.status]
    if awaits_payment_method(payment):
        return Status.REQUIRES_ACTION
    return Status.CREATED if payment.object_id is None else Status.PROCESSING


def captured(payment: Payment) -> int:
    """The captured amount, in minor units."""
    terminal = join.terminal(payment.facts)
    succeeded = terminal is not None and terminal.status is ProviderStatus.SUCCEEDED
    return terminal.captured if terminal is not None and succeeded else 0


def refundable(payment: Payment) -> int:
    """What can still be refunded, in minor units: captured, less what refunds reserve."""
    return captured(payment) - refunds.reserved_amount(payment)


def amounts(payment: Payment) -> Amounts:
    """The amounts, recomputed from the facts."""
    captured_amount = captured(payment)
    return Amounts(
        authorized=authorized_in(payment, payment.status),
        captured=captured_amount,
        # a refund that the bank returned and its replacement can both be succeeded for a while
        refunded=min(refunds.refunded_amount(payment), captured_amount),
    )


def authorized_in(payment: Payment, status: Status) -> int:
    """The authorized amount that the payment would have in this status, in minor units."""
    return payment.amount if status in {Status.AUTHORIZED, Status.SUCCEEDED} else 0


def failure_of(payment: Payment) -> Failure | None:
    """Why the payment failed or is stuck; None where it is not."""
    if payment.status is Status.SUCCEEDED:
        return None
    if payment.status is Status.AUTHORIZED:
        # the client has to learn that its capture was refused, and request another
        return payment.capture.refusal if payment.capture is not None else None
    if payment.create_refusal is not None:
        return payment.create_refusal
    last = payment.attempts[-1]
    if last.refusal is not None:
        return last.refusal
    failed = join.failures(payment.facts)
    # a failed payment keeps its failure, even where a newer attempt had started before the end
    has_gone_on = live_fact(payment) is not None and payment.status is not Status.FAILED
    if not failed or has_gone_on:
        return None
    in_flight = not all(has_failed(payment, a) for a in started_attempts(payment))
    between_attempts = payment.status is Status.PROCESSING and in_flight
    return None if between_attempts else failed[-1].failure


def next_action(payment: Payment) -> NextAction | None:
    """What the customer or client has to do; None unless the payment requires action."""
    if payment.status is not Status.REQUIRES_ACTION:
        return None
    live = live_fact(payment)
    if live is None:
        return NextAction("new_payment_method")
    return NextAction("redirect", live.action_url)


def _refund_view(refund: refunds.RefundRecord) -> RefundView:
    facts = refund.reported.facts if refund.reported is not None else ()
    succeeded = any(f.status is RefundStatus.SUCCEEDED for f in facts)
    if refund.requested is not None:
        reason, failure = refund.requested.reason, refund.requested.refusal
    else:
        reason, failure = facts[-1].reason, None
    return RefundView(
        id=refund.id,
        status=refund.status,
        amount=refund.amount,
        reason=reason,
        failure=facts[-1].failure if facts else failure,
        reversed=succeeded and refund.status is not RefundStatus.SUCCEEDED,
    )


def _dispute_view(dispute: Dispute) -> DisputeView:
    return DisputeView(
        id=dispute.id,
        status=dispute.fact.status,
        amount=dispute.fact.amount,
        reason=dispute.fact.reason,
        funds_withdrawn=sum(m.amount for m in dispute.movements if m.amount > 0),
        funds_reinstated=-sum(m.amount for m in dispute.movements if m.amount < 0),
    )


def snapshot(payment: Payment) -> Snapshot:
    """The payment as it is published at this version."""
    return _snapshot(payment, tuple(_refund_view(r) for r in refunds.all_refunds(payment)))


def is_published_alike(before: Payment, after: Payment) -> bool:
    """Whether two states of a payment have the same snapshot, given the same version and time."""
    return all(  # first, because the rest adds up all refunds
        one is not None and other is not None and _refund_view(one) == _refund_view(other)
        for one, other in refunds.differing(before, after)
    ) and _snapshot(before, ()) == _snapshot(after, ())


def _snapshot(payment: Payment, refund_views: tuple[RefundView, ...]) -> Snapshot:
    return Snapshot(
        id=payment.id,
        tenant=payment.tenant,
        version=payment.version,
        status=payment.status,
        amounts=amounts(payment),
        attempts=len(payment.attempts),
        next_action=next_action(payment),
        failure=failure_of(payment),
        cancel_requested=payment.cancel is not None,
        provider_object_id=payment.object_id,
        refunds=refund_views,
        disputes=tuple(_dispute_view(d) for d in payment.disputes),
        created_at=payment.created_at,
        updated_at=payment.updated_at,
        **published_terms(payment),
    )
