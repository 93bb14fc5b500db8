"""Which of the provider's refunds only let go of an authorization: money that was never taken.

Some providers report a released authorization (a partial capture, a cancel, an expiry) as a refund.
It gives nothing back, so it is no refund of the payment. Which one it is follows from the set of
facts: a candidate, as its reports say, that is not proven to be a refund of ours, and

- of a payment that ended without a capture, each one;
- of a payment of which a part was captured, but not by our own call, the oldest one of exactly the
  amount that was not captured, a succeeded one first, never one that failed. If a total of what was
  given back is less than that amount, there is no release. Our own calls release without a refund.

A report of the capture that says what caused it decides who captured: we did if it echoes a call of
ours that can capture. Where none does, a capture that we requested of this amount counts as ours.
An answer found in the object's state doesn't prove who captured, so it never decides against such
a report.

Until the payment's end is known, it is open whether a candidate is a refund, and none is shown.
"""

from datetime import datetime
from typing import Final

from domain.call_key import CallKey, Operation
from domain.facts import join
from domain.inputs import PaymentFact
from domain.payment import Payment, ProviderRefund
from domain.status import ProviderStatus, RefundStatus

_NEVER_OF_A_RELEASE: Final = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
_ATTEMPTS: Final = frozenset({Operation.CREATE, Operation.CONFIRM})


def released_amount(payment: Payment, end: PaymentFact) -> int:
    """What somebody else's partial capture let go, in minor units; ``end`` reports the capture."""
    return 0 if _is_our_capture(payment, end) else max(0, end.amount - end.captured)


def _is_our_capture(payment: Payment, end: PaymentFact) -> bool:
    """Whether a call of ours captured; ``join`` keeps one report of the capture with its cause."""
    for fact in payment.facts:
        if fact.status is ProviderStatus.SUCCEEDED and join.has_cause(fact):
            key = CallKey.parse(fact.caused_by)  # no key of another call than ours is kept
            return key is not None and _captures(payment, key.operation)
    asked = payment.capture
    return asked is not None and asked.refusal is None and asked.amount == end.captured


def _captures(payment: Payment, operation: Operation) -> bool:
    """Whether a call of ours can capture: a capture, or what starts an attempt that captures."""
    is_automatic = payment.capture_method == "automatic"
    return operation is Operation.CAPTURE or (is_automatic and operation in _ATTEMPTS)


def releases(payment: Payment, proven: frozenset[str]) -> frozenset[str]:
    """The references of refunds that are none; ``proven`` are those that are ours."""
    candidates = [r for r in payment.provider_refunds if _is_candidate(r, proven)]
    if not candidates:
        return frozenset()
    end = join.terminal(payment.facts)
    if end is None or end.status is not ProviderStatus.SUCCEEDED:
        return frozenset(r.ref for r in candidates)
    rest = released_amount(payment, end)
    if has_no_release(payment, rest):
        return frozenset()
    same = [r for r in candidates if r.amount == rest > 0 and not _has_ended_otherwise(r)]
    oldest = min(same, key=_most_likely_first, default=None)
    return frozenset() if oldest is None else frozenset({oldest.ref})


def has_no_release(payment: Payment, rest: int) -> bool:
    """Whether a total says so: it is less than the rest, which would have been in it."""
    return payment.refund_total_range is not None and payment.refund_total_range[0] < rest


def _has_ended_otherwise(refund: ProviderRefund) -> bool:
    return any(fact.status in _NEVER_OF_A_RELEASE for fact in refund.facts)


def _most_likely_first(refund: ProviderRefund) -> tuple[bool, bool, datetime | None, str]:
    has_not_succeeded = refund.facts[-1].status is not RefundStatus.SUCCEEDED
    return has_not_succeeded, refund.made_at is None, refund.made_at, refund.ref


def _is_candidate(refund: ProviderRefund, proven: frozenset[str]) -> bool:
    """A key of ours alone is no proof: somebody may let go of an authorization under it."""
    return refund.may_be_release and refund.ref not in proven
