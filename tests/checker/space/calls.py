"""Checks that each accepted command has led to one provider call, and nothing else has."""

from collections import Counter
from collections.abc import Sequence

from domain.call_key import CallKey, Operation
from domain.inputs import Cancel, Capture, Confirm, Create, Refund
from domain.payment import Payment

#: The operation that each accepted command calls once.
_OPERATIONS = {
    Create: Operation.CREATE,
    Confirm: Operation.CONFIRM,
    Capture: Operation.CAPTURE,
    Refund: Operation.REFUND,
}


def check_calls(payment: Payment, bodies: Sequence[object]) -> None:
    """Check a payment's calls against the accepted inputs.

    A cancel may wait for the object, or for the result of our own cancel, and then be unnecessary.
    """
    keys = [key for key in map(CallKey.parse, payment.calls) if key is not None]
    assert len(keys) == len(payment.calls), "a call has an invalid key"
    called = Counter(key.operation for key in keys)
    accepted = Counter(type(body) for body in bodies)
    for command, operation in _OPERATIONS.items():
        assert called[operation] == accepted[command], f"{operation}, not as often as accepted"
    own = CallKey.cancel_exhausted(payment.id) in keys
    assert called[Operation.CANCEL] <= accepted[Cancel] + own, "an unwanted cancel"
    amounts = {refund.id: refund.amount for refund in payment.refunds}
    for body in bodies:
        if isinstance(body, Refund) and not isinstance(body.amount, str):
            assert amounts[body.refund_id] == body.amount, (
                "a refund of another amount than accepted"
            )
