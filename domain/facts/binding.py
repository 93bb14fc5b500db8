"""Which of the provider's objects is a payment's own, and what proves it.

Anybody who may write at the provider chooses an object's metadata, so what an event says of our
payment ID proves nothing. Proof is what our own call to create it answered, or an event that echoes
that call's idempotency key. Until then a fact waits, and the call is made again at once: under its
key that is a look-up.
"""

from typing import Final

from domain.call_key import CallKey, Operation, is_key_of
from domain.inputs import CallResult, DisputeFact, Input, PaymentFact, RefundFact
from domain.payment import Payment

UNCONFIRMED: Final = "its object is not confirmed as ours yet"


def awaits_object(payment: Payment) -> bool:
    """Whether it is not known yet which object is the payment's, nor that there is none."""
    return payment.object_id is None and payment.create_refusal is None


def is_proof(payment_id: str, fact: PaymentFact | RefundFact | DisputeFact) -> bool:
    """Whether the fact names its object as the one that our own call made."""
    if not isinstance(fact, PaymentFact):
        return False
    return is_key_of(fact.caused_by, str(CallKey.create(payment_id)))


def may_settle(payment_id: str, input_: Input) -> bool:
    """Whether the input can tell which object is the payment's, or that there is none."""
    match input_.body:
        case CallResult(operation=Operation.CREATE):
            return True
        case PaymentFact() as fact:
            return is_proof(payment_id, fact)
    return False
