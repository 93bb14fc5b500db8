"""Which of the provider's objects belongs to a payment, and what proves it.

Anybody with write access at the provider can put our payment ID into an object's metadata, so an
event's metadata proves nothing. Two things are proof: the response to our own create call, and an
event that carries that call's idempotency key. Until there is proof, facts are parked and the call
is made again at once. Under the same key that is only a look-up.

Anybody with a key of the provider's API can also send an idempotency key of ours, so a key proves
only what this payment has called.
"""

from typing import Final

from msgspec.structs import replace

from domain.call_key import CallKey, Operation, is_key_of
from domain.inputs import (
    CallResult,
    DisputeFact,
    FraudWarningFact,
    Input,
    PaymentFact,
    RefundFact,
)
from domain.payment import Payment

UNCONFIRMED: Final = "the object it names is not confirmed as this payment's yet"


def awaits_object(payment: Payment) -> bool:
    """Whether it is still open which object is the payment's, or whether there is one."""
    return payment.object_id is None and payment.create_refusal is None


def is_proof(
    payment_id: str, fact: PaymentFact | RefundFact | DisputeFact | FraudWarningFact
) -> bool:
    """Whether the fact proves that its object was created by our own call."""
    if not isinstance(fact, PaymentFact):
        return False
    return is_key_of(fact.caused_by, str(CallKey.create(payment_id)))


def without_foreign_key(payment: Payment, fact: PaymentFact) -> PaymentFact:
    """The fact without its key, unless that is of a call that this payment has requested.

    A call is requested before the provider can report what it caused. So any other key was made up
    by somebody, or is another payment's: it names no attempt, no capture and no cancel of ours.
    """
    key = CallKey.parse(fact.caused_by)
    is_ours = key is not None and key.call in payment.calls
    return fact if is_ours else replace(fact, caused_by=None)


def may_identify_object(payment_id: str, input_: Input) -> bool:
    """Whether the input can establish which object is the payment's, or that there is none."""
    match input_.body:
        case CallResult(operation=Operation.CREATE):
            return True
        case PaymentFact() as fact:
            return is_proof(payment_id, fact)
    return False
