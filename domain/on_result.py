"""Applies the result of a provider call: the provider's object, or a definitive refusal."""

from datetime import datetime

from msgspec.structs import replace

from domain.call_key import CallKey, Operation
from domain.decision import Decision, changed, unchanged
from domain.facts import cancels
from domain.inputs import CallResult, Failure
from domain.money import format_amount
from domain.payment import Payment
from domain.status import Outcome


def on_result(payment: Payment | None, result: CallResult, at: datetime) -> Decision:
    """Records that the call is finished. A refusal undoes the request that needed the call.

    An acknowledgement only says that the provider has the request. Success is reported by facts.
    """
    if payment is None:
        return unchanged(None, Outcome.PARKED, "its payment does not exist yet")
    key = CallKey.parse(result.call_key)
    if key is None or result.call_key not in payment.calls:
        reason = f"this payment never requested the call {result.call_key}"
        return unchanged(payment, Outcome.CONFLICT, reason)
    if result.object_id is not None and payment.create_refusal is not None:
        reason = (
            f"the result names object {result.object_id}, "
            "but the provider refused to create this payment"
        )
        return unchanged(payment, Outcome.CONFLICT, reason)
    if result.call_key in payment.finished_calls:
        return unchanged(payment, Outcome.STALE, f"the call {result.call_key} already has a result")
    if result.refusal is not None:
        return _refused(payment, key.name, result, result.refusal, at)
    if result.operation is Operation.CREATE:
        return _acknowledged_create(payment, result, at)
    if result.operation is Operation.REFUND:
        return _acknowledged_refund(payment, key.name, result, at)
    after = _finish(payment, result)
    return changed(payment, after, at, f"the provider accepted the {result.operation}")


def _finish(payment: Payment, result: CallResult) -> Payment:
    return replace(payment, finished_calls=payment.finished_calls | {result.call_key})


def _acknowledged_create(payment: Payment, result: CallResult, at: datetime) -> Decision:
    if payment.object_id is not None and payment.object_id != result.object_id:
        return unchanged(
            payment,
            Outcome.CONFLICT,
            f"the result names object {result.object_id}, "
            f"but this payment's object is {payment.object_id}",
        )
    after = replace(_finish(payment, result), object_id=result.object_id)
    return changed(payment, after, at, f"the provider created object {result.object_id}")


def _acknowledged_refund(
    payment: Payment, refund_id: str, result: CallResult, at: datetime
) -> Decision:
    """Matches our refund with the provider's. The provider's own response is proof enough."""
    (requested,) = (r for r in payment.refunds if r.id == refund_id)  # the call was made for it
    made = next((m for m in payment.provider_refunds if m.ref == result.object_id), None)
    names = f"the result of {result.call_key} names {result.object_id}"
    if any(r.provider_ref == result.object_id for r in payment.refunds):
        return unchanged(payment, Outcome.CONFLICT, f"{names}, which belongs to another refund")
    if made is not None and made.amount != requested.amount:
        actual, expected = (format_amount(r.amount, payment.currency) for r in (made, requested))
        reason = f"{names}, a refund of {actual}, but {expected} was requested"
        return unchanged(payment, Outcome.CONFLICT, reason)
    refunds = tuple(
        replace(r, provider_ref=result.object_id) if r.id == refund_id else r
        for r in payment.refunds
    )
    after = replace(_finish(payment, result), refunds=refunds)
    return changed(
        payment, after, at, f"the provider made refund {refund_id} as {result.object_id}"
    )


def _refused(
    payment: Payment, name: str, result: CallResult, refusal: Failure, at: datetime
) -> Decision:
    why = f"the provider refused the {result.operation}: {refusal.message} ({refusal.code})"
    after = _finish(payment, result)
    match result.operation:
        case Operation.CREATE:
            if payment.object_id is not None:
                reason = f"{why}, but its object {payment.object_id} exists"
                return unchanged(payment, Outcome.CONFLICT, reason)
            after = replace(after, create_refusal=refusal)
        case Operation.CONFIRM:
            attempts = tuple(
                replace(a, refusal=refusal) if str(a.number) == name else a
                for a in payment.attempts
            )
            after = replace(after, attempts=attempts)
        case Operation.CAPTURE if (
            payment.capture is not None and str(payment.capture.number) == name
        ):
            after = replace(after, capture=replace(payment.capture, refusal=refusal))
        # also of a payment that is final by now, or the end would depend on what came first
        case Operation.CANCEL if name == str(payment.cancel_refusals + 1):
            after = replace(after, cancel=None, cancel_refusals=payment.cancel_refusals + 1)
        case Operation.CANCEL if cancels.is_answer(payment.id, result):
            after = replace(after, last_cancel_refused=True)
        case _:  # a refund; of any other call, none has this name
            refunds = tuple(
                replace(r, refusal=refusal) if r.id == name else r for r in payment.refunds
            )
            after = replace(after, refunds=refunds)
    return changed(payment, after, at, why)
