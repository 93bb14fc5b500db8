"""The payment as clients see it: status, amounts, next action. Derived from what is known.

``snapshot`` is the value of ``payment-state`` and of ``GET /v1/payments/{id}``.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from domain.facts import cancels, join, refunds
from domain.facts.disputes import (
    NEEDS_RESPONSE,
    DisputeView,
    FraudWarningView,
    view_of,
    warning_view,
    withdrawn_amount,
)
from domain.inputs import Failure, PaymentFact
from domain.payment import Attempt, Payment
from domain.status import ProviderStatus, RefundStatus, Status
from domain.terms import PublishedTerms, published_terms

_LIVE_STATUS: Final = {
    ProviderStatus.OPEN: Status.PROCESSING,
    ProviderStatus.PENDING: Status.PROCESSING,
    ProviderStatus.ACTION_NEEDED: Status.REQUIRES_ACTION,
    ProviderStatus.AUTHORIZED: Status.AUTHORIZED,
}

#: Statuses in which money is authorized.
_HELD: Final = frozenset({ProviderStatus.AUTHORIZED, ProviderStatus.SUCCEEDED})


class NextAction(Struct, frozen=True):
    """What has to happen before the payment continues.

    ``redirect``: the customer visits ``url``. ``provider_sdk``: the customer acts in the provider's
    own SDK, since there is no page. ``new_payment_method``: the client confirms with another one.
    """

    type: str
    url: str | None = None


class Amounts(Struct, frozen=True):
    """Minor units, as the provider reports them; 0 <= refunded <= captured <= authorized."""

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


class Snapshot(PublishedTerms, frozen=True, omit_defaults=True):
    """The whole payment as of ``version``, as published.

    Its own fields have no default, so each is published. A term with one is a later release's: left
    out, the snapshot of a payment without it is the one that was published before, to the byte.
    """

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
    fraud_warnings: tuple[FraudWarningView, ...]
    created_at: datetime
    updated_at: datetime


def started_attempts(payment: Payment) -> tuple[Attempt, ...]:
    """The attempts the provider did not refuse to make."""
    return tuple(a for a in payment.attempts if a.refusal is None)


def has_failed(payment: Payment, attempt: Attempt) -> bool:
    """Whether the provider reported a failure after this attempt was started."""
    return len(join.failures(payment.facts)) > attempt.failures_before


def live_fact(payment: Payment) -> PaymentFact | None:
    """The latest fact about the current attempt; None where there is none.

    After a failure, an object that is open is no attempt: it waits for a payment method, also if
    the provider keeps the error of the failure no longer.
    """
    if not any(f.status is ProviderStatus.ATTEMPT_FAILED for f in payment.facts):
        return join.latest_live(payment.facts, 0)
    over = [a.number for a in started_attempts(payment) if has_failed(payment, a)]
    latest = join.latest_live(payment.facts, max(over, default=0))
    return None if latest is not None and latest.status is ProviderStatus.OPEN else latest


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
        return Status.FAILED if cancels.ended_by_last_cancel(payment) else Status.CANCELED
    if payment.create_refusal is not None:
        return Status.FAILED
    live = live_fact(payment)
    if live is not None:
        return _LIVE_STATUS[live.status]
    if awaits_payment_method(payment):
        return Status.REQUIRES_ACTION
    return Status.CREATED if payment.object_id is None else Status.PROCESSING


def authorized(payment: Payment) -> int:
    """The authorized amount, in minor units; also what was captured beyond it."""
    fact = join.terminal(payment.facts)
    if fact is None and payment.create_refusal is None:
        fact = live_fact(payment)
    return max(fact.amount, fact.captured) if fact is not None and fact.status in _HELD else 0


def captured(payment: Payment) -> int:
    """The captured amount, in minor units."""
    terminal = join.terminal(payment.facts)
    succeeded = terminal is not None and terminal.status is ProviderStatus.SUCCEEDED
    return terminal.captured if terminal is not None and succeeded else 0


def refundable(payment: Payment) -> int:
    """What can still be refunded, in minor units.

    It is what was captured, less what refunds reserve and what disputes have withdrawn. Never
    negative: a dispute may take what was refunded.
    """
    left = captured(payment) - refunds.reserved_amount(payment) - withdrawn(payment)
    return max(0, left)


def withdrawn(payment: Payment) -> int:
    """The captured amount that disputes have withdrawn, in minor units."""
    return withdrawn_amount(payment, captured(payment))


def amounts(payment: Payment) -> Amounts:
    """The amounts, recomputed from the facts."""
    captured_amount = captured(payment)
    return Amounts(
        authorized=authorized(payment),
        captured=captured_amount,
        # a refund that the bank returned and its replacement can both be succeeded for a while
        refunded=min(refunds.refunded_amount(payment), captured_amount),
    )


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
    if live.action_url is None:
        return NextAction("provider_sdk")
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


def snapshot(payment: Payment) -> Snapshot:
    """The payment as it is published at this version."""
    return _snapshot(payment, tuple(_refund_view(r) for r in refunds.all_refunds(payment)))


def has_open_matter(seen: Snapshot) -> bool:
    """Whether a dispute needs a response, or a refund may still answer a fraud warning."""
    return any(dispute.status in NEEDS_RESPONSE for dispute in seen.disputes) or any(
        warning.actionable for warning in seen.fraud_warnings
    )


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
        disputes=tuple(view_of(d) for d in payment.disputes),
        fraud_warnings=tuple(warning_view(w) for w in payment.fraud_warnings),
        created_at=payment.created_at,
        updated_at=payment.updated_at,
        **published_terms(payment),
    )
