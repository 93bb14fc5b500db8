"""The provider calls that a payment needs, derived from its state.

A call's idempotency key is derived from the payment, never random. The same state always needs the
same calls, and a call that is requested twice is made once.
"""

from collections.abc import Container, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from domain.call_key import CallKey, Operation, is_key_of
from domain.facts import join
from domain.payment import Payment
from domain.status import CancelCause
from domain.view import exhausted


class ProviderCall(Struct, frozen=True, kw_only=True):
    """One call to make. Which fields are set depends on ``operation``. Amounts are minor units."""

    #: The call's first idempotency key, as text; see ``CallKey``.
    key: str
    operation: Operation
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


def is_last_cancel(call: ProviderCall) -> bool:
    """Whether this is our own cancel for used-up attempts: whether it did it decides the status.

    So it is acknowledged only if this very call cancelled the object, and refused if the object was
    final before.
    """
    return is_key_of(call.key, str(CallKey.cancel_exhausted(call.payment_id)))


def amount_of(call: ProviderCall) -> int:
    """The amount of a create, capture or refund, in minor units.

    A provider takes a missing amount for "all of it", so one is never sent without. Raises
    ValueError where the call has none.
    """
    if call.amount is None:
        raise ValueError(f"call {call.key} has no amount; a {call.operation} always names one")
    return call.amount


def currency_of(call: ProviderCall) -> str:
    """The currency of a call that has an amount. Raises ValueError where it has none."""
    if call.currency is None:
        raise ValueError(f"call {call.key} has no currency; a {call.operation} always names one")
    return call.currency


def capture_method_of(call: ProviderCall) -> str:
    """The capture method of a create. A provider takes a missing one for "capture at once".

    Raises ValueError where the call has none.
    """
    if call.capture_method is None:
        raise ValueError(f"call {call.key} has no capture method; a create always names one")
    return call.capture_method


def _create(payment: Payment) -> ProviderCall:
    return ProviderCall(
        key=str(CallKey.create(payment.id)),
        operation=Operation.CREATE,
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


def _on_object(payment: Payment, key: CallKey) -> ProviderCall:
    return ProviderCall(
        key=str(key),
        operation=key.operation,
        payment_id=payment.id,
        provider=payment.provider,
        object_id=payment.object_id,
        currency=payment.currency,
    )


def _cancel_cause(payment: Payment) -> CancelCause | None:
    """Why the payment is to be cancelled at the provider; None where it is not."""
    if join.terminal(payment.facts) is not None:
        return None
    requested = CancelCause.REQUESTED if payment.cancel is not None else None
    if exhausted(payment):
        has_result = str(CallKey.cancel_exhausted(payment.id)) in payment.finished_calls
        return requested if has_result and requested else CancelCause.ATTEMPTS_EXHAUSTED
    return requested


def wanted(payment: Payment, made: Container[str] = ()) -> Iterator[ProviderCall]:
    """Every call that the payment's present state needs; without refund calls in ``made``."""
    yield _create(payment)
    if payment.object_id is None:
        return  # every other call names the provider's object, and waits until it is known
    for attempt in payment.attempts[1:]:
        call = _on_object(payment, CallKey.confirm(payment.id, attempt.number))
        yield replace(call, payment_method=attempt.payment_method, return_url=payment.return_url)
    if payment.capture is not None:
        call = _on_object(payment, CallKey.capture(payment.id, payment.capture.number))
        yield replace(call, amount=payment.capture.amount)
    cause = _cancel_cause(payment)
    if cause is not None:
        key = CallKey.cancel(payment.id, payment.cancel_refusals + 1)
        if cause is CancelCause.ATTEMPTS_EXHAUSTED:
            key = CallKey.cancel_exhausted(payment.id)
        yield replace(_on_object(payment, key), cancel_cause=cause)
    for refund in payment.refunds:
        key = CallKey.refund(payment.id, refund.id)
        if str(key) in made:
            continue  # there may be many
        call = _on_object(payment, key)
        yield replace(call, amount=refund.amount, refund_id=refund.id, reason=refund.reason)


def new_calls(payment: Payment) -> tuple[ProviderCall, ...]:
    """The calls that the payment needs and did not request yet."""
    made = payment.calls
    return tuple(call for call in wanted(payment, made) if call.key not in made)
