"""Whether what the provider said when it was asked is news about a payment. Pure.

An object is looked at again and again while it may change. A look that finds nothing new leaves no
record: this asks the same function that would decide on it.
"""

from typing import Final

from domain.decide import decide
from domain.facts import join
from domain.inputs import Input
from domain.payment import Payment
from domain.status import Outcome, RefundStatus
from domain.view import refundable

#: What is known already, or is known better, or confirms what is known.
_NO_NEWS: Final = frozenset({Outcome.STALE, Outcome.DUPLICATE, Outcome.APPLIED})


def is_news(payment: Payment, input_: Input) -> bool:
    """Returns whether the input would change the payment, ask for a call, or wait.

    So is what contradicts the payment, or has another reason to be recorded; the caller knows what
    it has published before, and publishes none of it twice.
    """
    decision = decide(payment, input_, payment.id)
    after = decision.payment
    if after is None or decision.provider_calls or after.version != payment.version:
        return True
    # a failure counts, also where nothing shows it yet
    if join.failures(after.facts) != join.failures(payment.facts):
        return True
    # so does a refund: whether it is a release may be open until the payment's end is known
    if _refunds(after) != _refunds(payment):
        return True
    # a refund that is under way reserves its amount before a version shows it
    if refundable(after) != refundable(payment):
        return True
    return decision.outcome not in _NO_NEWS


def _refunds(payment: Payment) -> set[tuple[str, RefundStatus]]:
    """The provider's refunds that are known, each with its status."""
    return {(refund.ref, refund.facts[-1].status) for refund in payment.provider_refunds}
