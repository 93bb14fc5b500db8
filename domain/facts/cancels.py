"""Whose call cancelled the provider's object. It decides between FAILED and CANCELED.

A cancelled payment is FAILED if our own cancel for used-up attempts ended it. Two things prove
that: an event that carries that call's idempotency key, and the response to that call. A key that
we never called with is somebody else's (``binding.without_foreign_key``). A reason that the
provider keeps with the object proves nothing, because anybody who cancels can choose it.
A report that does not say what caused it waits for the response, if that call was requested. If it
was not, somebody else cancelled.
"""

from typing import Final

from domain.call_key import CallKey, Operation
from domain.inputs import CallResult, PaymentFact
from domain.payment import Payment
from domain.status import CancelCause, ProviderStatus

UNEXPLAINED: Final = "who cancelled it is known once our own cancel has an answer"


def cause_of(fact: PaymentFact) -> CancelCause | None:
    """Why the object was cancelled; None where the fact does not say what caused it."""
    key = CallKey.parse(fact.caused_by)
    if key is None:
        return CancelCause.PROVIDER if fact.names_cause else None
    if key.operation is not Operation.CANCEL:
        return CancelCause.PROVIDER
    is_last = key.call == str(CallKey.cancel_exhausted(key.payment_id))
    return CancelCause.ATTEMPTS_EXHAUSTED if is_last else CancelCause.REQUESTED


def known_cause(payment: Payment) -> CancelCause | None:
    """The cause in the first known report of the cancel that has one."""
    canceled = (f for f in payment.facts if f.status is ProviderStatus.CANCELED)
    causes = (cause_of(fact) for fact in canceled)
    return next((cause for cause in causes if cause is not None), None)


def awaits_answer(payment: Payment) -> bool:
    """Whether our own cancel for used-up attempts was requested and has no answer yet."""
    key = str(CallKey.cancel_exhausted(payment.id))
    return key in payment.calls and key not in payment.finished_calls


def is_answer(payment_id: str, body: object) -> bool:
    """Whether this is the answer to our own cancel for used-up attempts."""
    key = str(CallKey.cancel_exhausted(payment_id))
    return isinstance(body, CallResult) and body.call_key == key


def ended_by_last_cancel(payment: Payment) -> bool:
    """Whether our own cancel for used-up attempts ended this cancelled payment."""
    cause = known_cause(payment)
    if cause is not None:
        return cause is CancelCause.ATTEMPTS_EXHAUSTED
    is_answered = str(CallKey.cancel_exhausted(payment.id)) in payment.finished_calls
    return is_answered and not payment.last_cancel_refused
