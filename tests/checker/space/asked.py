"""What the provider is asked for is what was accepted: each command once, and nothing else."""

from collections import Counter
from collections.abc import Sequence

from domain.inputs import Cancel, Capture, Confirm, Create, Refund
from domain.payment import Payment

#: What each accepted command asks of the provider, once.
_OPERATIONS = {Create: "create", Confirm: "confirm", Capture: "capture", Refund: "refund"}


def hold_calls(payment: Payment, taken: Sequence[object]) -> None:
    """Hold a payment's calls to what was taken in.

    A cancel may wait for the object, or for an answer to our own cancel, and may then be needless.
    """
    asked = Counter(key.removeprefix(f"{payment.id}:").split(":")[0] for key in payment.calls)
    accepted = Counter(type(body) for body in taken)
    for command, operation in _OPERATIONS.items():
        assert asked[operation] == accepted[command], f"{operation}, not as often as accepted"
    ours = f"{payment.id}:cancel:exhausted" in payment.calls
    assert asked["cancel"] <= accepted[Cancel] + ours, "a cancel that nobody wants"
    amounts = {refund.id: refund.amount for refund in payment.refunds}
    for body in taken:
        if isinstance(body, Refund) and body.amount is not None:
            assert amounts[body.refund_id] == body.amount, (
                "a refund of another amount than accepted"
            )
