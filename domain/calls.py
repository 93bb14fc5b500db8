"""The provider calls a payment needs, derived from what it is.

A call's idempotency key is made of the payment ID and the operation, never of chance: the same
payment always asks for the same calls, and asking twice is asking once.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from domain.facts import join
from domain.facts.binding import create_key
from domain.payment import Payment
from domain.status import CancelCause
from domain.view import exhausted


class ProviderCall(Struct, frozen=True):
    """One call to make. Which fields are set depends on ``operation``; amounts are minor units."""

    key: str
    #: create, confirm, capture, cancel or refund
    operation: str
    payment_id: str
    provider: str
    #: The provider's payment object; None only for create.
    object_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    payment_method: str | None = None
    capture_method: str | None = None
    return_url: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = {}
    refund_id: str | None = None
    reason: str | None = None
    cancel_cause: CancelCause | None = None


def amount_of(call: ProviderCall) -> int:
    """What a call on money is of, in minor units; providers take an absent amount for "all".

    Raises ValueError where a create, capture or refund names none.
    """
    if call.amount is None:
        raise ValueError(f"call {call.key} has no amount; a {call.operation} always names one")
    return call.amount


def _create(payment: Payment) -> ProviderCall:
    return ProviderCall(
        key=create_key(payment.id),
        operation="create",
        payment_id=payment.id,
        provider=payment.provider,
        amount=payment.amount,
        currency=payment.currency,
        payment_method=payment.attempts[0].payment_method,
        capture_method=payment.capture_method,
        return_url=payment.return_url,
        description=payment.description,
        metadata=payment.metadata,
    )


def _on_object(payment: Payment, operation: str, key: str) -> ProviderCall:
    return ProviderCall(
        key=f"{payment.id}:{operation}:{key}",
        operation=operation,
        payment_id=payment.id,
        provider=payment.provider,
        object_id=payment.object_id,
        currency=payment.currency,
    )


_EXHAUSTED_KEY: Final = "{}:cancel:exhausted"


def _cancel_cause(payment: Payment) -> CancelCause | None:
    """Why this payment should be cancelled at the provider now, if it should."""
    if join.terminal(payment.facts) is not None:
        return None
    asked = CancelCause.REQUESTED if payment.cancel is not None else None
    if exhausted(payment):
        answered = _EXHAUSTED_KEY.format(payment.id) in payment.settled
        return asked if answered and asked else CancelCause.ATTEMPTS_EXHAUSTED
    return asked


def wanted(payment: Payment) -> Iterator[ProviderCall]:
    """Every call this payment has ever needed up to now, made or not."""
    yield _create(payment)
    if payment.object_id is None:
        return  # everything else names the provider's object; it waits until that is known
    for attempt in payment.attempts[1:]:
        call = _on_object(payment, "confirm", str(attempt.number))
        yield replace(call, payment_method=attempt.payment_method, return_url=payment.return_url)
    if payment.capture is not None:
        call = _on_object(payment, "capture", str(payment.capture.number))
        yield replace(call, amount=payment.capture.amount)
    cause = _cancel_cause(payment)
    if cause is not None:
        spent = cause is CancelCause.ATTEMPTS_EXHAUSTED
        name = "exhausted" if spent else str(payment.cancel_refusals + 1)
        call = _on_object(payment, "cancel", name)
        yield replace(call, cancel_cause=cause)
    for refund in payment.refunds:
        call = _on_object(payment, "refund", refund.id)
        yield replace(call, amount=refund.amount, refund_id=refund.id, reason=refund.reason)


def new_calls(payment: Payment) -> tuple[ProviderCall, ...]:
    """The calls this payment needs and has not asked for yet."""
    return tuple(call for call in wanted(payment) if call.key not in payment.calls)
