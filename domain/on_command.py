"""What a client's command does: it is checked against the state, and what it asks is noted."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from domain.decision import Decision, changed, created, unchanged
from domain.facts.join import failures
from domain.facts.refunds import awaited
from domain.inputs import Cancel, Capture, Command, Confirm, Create
from domain.inputs import Refund as RefundCommand
from domain.money import shown
from domain.payment import Attempt, CancelRequest, CaptureRequest, Payment, Refund
from domain.status import Outcome, Status
from domain.transitions import is_final
from domain.view import awaits_payment_method, refundable


def _shown(payment: Payment, amount: int) -> str:
    return shown(amount, payment.currency)


def rejected(payment: Payment | None, reason: str) -> Decision:
    """The state forbids the command; the reason is for the client to read."""
    return unchanged(payment, Outcome.REJECTED, reason)


def repeated(payment: Payment, command: Command) -> Decision | None:
    """An operation that is known already: a duplicate, or rejected when its body differs."""
    known = payment.operations.get(command.operation_id)
    if known is None:
        return None
    if known == command.fingerprint:
        return unchanged(payment, Outcome.DUPLICATE, "this operation was processed")
    return rejected(payment, "this Idempotency-Key was used with another body")


def on_create(payment: Payment | None, command: Create, payment_id: str, at: datetime) -> Decision:
    """A new payment, unless its ID is taken: the ID is a hash of tenant and Idempotency-Key."""
    if payment is not None:
        return repeated(payment, command) or rejected(payment, "this payment exists")
    return created(
        Payment(
            id=payment_id,
            tenant=command.tenant,
            provider=command.provider,
            amount=command.amount,
            currency=command.currency,
            capture_method=command.capture_method,
            max_attempts=command.max_attempts,
            return_url=command.return_url,
            description=command.description,
            metadata=dict(command.metadata),
            created_at=at,
            expires_at=command.expires_at,
            updated_at=at,
            version=1,
            status=Status.CREATED,
            attempts=(Attempt(1, command.payment_method),),
            operations={command.operation_id: command.fingerprint},
        )
    )


def on_command(
    payment: Payment | None, command: Confirm | Capture | Cancel | RefundCommand, at: datetime
) -> Decision:
    """Checks who asks and whether it was asked before, then the state's own rules."""
    if payment is None or payment.tenant != command.tenant:
        return rejected(payment, "there is no such payment")
    known = repeated(payment, command)
    if known is not None:
        return known
    decision = _RULES[type(command)](payment, command, at)
    if decision.outcome is not Outcome.APPLIED or decision.payment is None:
        return decision
    operations = {**decision.payment.operations, command.operation_id: command.fingerprint}
    return replace(decision, payment=replace(decision.payment, operations=operations))


def _confirm(payment: Payment, command: Confirm, at: datetime) -> Decision:
    if payment.status is not Status.REQUIRES_ACTION:
        return rejected(
            payment, f"confirm needs a payment in REQUIRES_ACTION; it is {payment.status}"
        )
    if not awaits_payment_method(payment):
        return rejected(payment, "the customer's action is awaited, not a new payment method")
    if payment.cancel is not None:
        return rejected(payment, "the payment is being cancelled")
    number = len(payment.attempts) + 1
    failed = len(failures(payment.facts))
    attempts = (*payment.attempts, Attempt(number, command.payment_method, failed))
    after = replace(payment, attempts=attempts)
    return changed(payment, after, at, f"attempt {number} asked for")


def _capture(payment: Payment, command: Capture, at: datetime) -> Decision:
    if payment.status is not Status.AUTHORIZED:
        return rejected(payment, f"capture needs a payment in AUTHORIZED; it is {payment.status}")
    if payment.cancel is not None:
        return rejected(payment, "the payment is being cancelled")
    previous = payment.capture
    if previous is not None and previous.refusal is None:
        return rejected(
            payment, f"a capture of {_shown(payment, previous.amount)} is already on its way"
        )
    amount = payment.amount if command.amount is None else command.amount
    if not 0 < amount <= payment.amount:
        asked, whole = _shown(payment, amount), _shown(payment, payment.amount)
        return rejected(payment, f"{asked} can't be captured of {whole}")
    number = 1 if previous is None else previous.number + 1
    after = replace(payment, capture=CaptureRequest(number, amount))
    return changed(payment, after, at, f"capture of {_shown(payment, amount)} asked for")


def _cancel(payment: Payment, command: Cancel, at: datetime) -> Decision:
    if is_final(payment.status):
        return rejected(payment, f"{payment.status} is final")
    if payment.cancel is not None:
        return rejected(payment, "a cancel is already on its way")
    if command.expired:
        if payment.status is not Status.REQUIRES_ACTION:
            return rejected(payment, f"only REQUIRES_ACTION expires; it is {payment.status}")
        if at < payment.expires_at:
            return rejected(payment, f"it expires at {payment.expires_at.isoformat()}")
    why = "nobody acted in time" if command.expired else "cancel asked for"
    return changed(payment, replace(payment, cancel=CancelRequest(command.expired)), at, why)


def _refund(payment: Payment, command: RefundCommand, at: datetime) -> Decision:
    if payment.status is not Status.SUCCEEDED:
        return rejected(payment, f"refund needs a payment in SUCCEEDED; it is {payment.status}")
    if any(r.id == command.refund_id for r in payment.refunds):
        return rejected(payment, "this refund exists")
    told = next((m for m in payment.provider_refunds if m.echoes == command.refund_id), None)
    if told is not None:  # the provider's word on our own refund was read before the command
        if command.amount not in {None, told.amount}:
            said = _shown(payment, told.amount)
            return rejected(payment, f"the provider's word on this refund is of {said}")
        return _asked_for(payment, command, told.amount, at)
    left = refundable(payment)
    if command.amount is None and (pending := awaited(payment)) is not None:
        why = f"the provider's answer to refund {pending} is awaited"
        return rejected(payment, f"{why}: until then nobody knows what is left; name an amount")
    amount = left if command.amount is None else command.amount
    if not 0 < amount <= left:
        asked, rest = _shown(payment, amount), _shown(payment, left)
        return rejected(payment, f"{asked} can't be refunded; {rest} is left")
    return _asked_for(payment, command, amount, at)


def _asked_for(payment: Payment, command: RefundCommand, amount: int, at: datetime) -> Decision:
    refund = Refund(command.refund_id, amount, command.reason)
    refunds = tuple(sorted((*payment.refunds, refund), key=lambda r: r.id))
    after = replace(payment, refunds=refunds)
    return changed(payment, after, at, f"refund of {_shown(payment, amount)} asked for")


#: Each command's own rule; what all of them share is checked before.
_RULES: Final[Mapping[type, Callable[[Payment, Any, datetime], Decision]]] = {
    Confirm: _confirm,
    Capture: _capture,
    Cancel: _cancel,
    RefundCommand: _refund,
}
