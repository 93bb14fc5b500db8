"""What the provider is asked for is what was accepted: each command once, and nothing else."""

from collections import Counter
from collections.abc import Sequence

from domain.call_key import CallKey, Operation
from domain.inputs import Cancel, Capture, Confirm, Create, Refund
from domain.payment import Payment

#: What each accepted command asks of the provider, once.
_OPERATIONS = {
    Create: Operation.CREATE,
    Confirm: Operation.CONFIRM,
    Capture: Operation.CAPTURE,
    Refund: Operation.REFUND,
}


def hold_calls(payment: Payment, taken: Sequence[object]) -> None:
    """Hold a payment's calls to what was taken in.

    A cancel may wait for the object, or for an answer to our own cancel, and may then be needless.
    """
    keys = [key for key in map(CallKey.parse, payment.calls) if key is not None]
    assert len(keys) == len(payment.calls), "a call under a key that is none of ours"
    asked = Counter(key.operation for key in keys)
    accepted = Counter(type(body) for body in taken)
    for command, operation in _OPERATIONS.items():
        assert asked[operation] == accepted[command], f"{operation}, not as often as accepted"
    ours = CallKey.cancel_exhausted(payment.id) in keys
    assert asked[Operation.CANCEL] <= accepted[Cancel] + ours, "a cancel that nobody wants"
    amounts = {refund.id: refund.amount for refund in payment.refunds}
    for body in taken:
        if isinstance(body, Refund) and body.amount is not None:
            assert amounts[body.refund_id] == body.amount, (
                "a refund of another amount than accepted"
            )
