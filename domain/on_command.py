"""Applies a client's command: checks it against the state and records the request."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from domain.decision import Decision, changed, created, unchanged
from domain.facts.join import failures
from domain.facts.refunds import RESERVING, is_release, unproven_refund
from domain.inputs import ALL, All, Cancel, Capture, Command, Confirm, Create
from domain.inputs import Refund as RefundCommand
from domain.money import format_amount
from domain.payment import (
    Attempt,
    CancelRequest,
    CaptureRequest,
    Payment,
    ProviderRefund,
    RefundRequest,
)
from domain.status import Outcome, RejectionCode, Status
from domain.terms import payment_terms
from domain.transitions import is_final
from domain.view import authorized, awaits_payment_method, refundable, withdrawn


def _format(payment: Payment, amount: int) -> str:
    return format_amount(amount, payment.currency)


def _requested(amount: int | All, left: int) -> int:
    return left if isinstance(amount, str) else amount


def rejected(payment: Payment | None, code: RejectionCode, reason: str) -> Decision:
    """The state forbids the command. Clients read the reason, their programs the code."""
    return unchanged(payment, Outcome.REJECTED, reason, code)


def known_operation(payment: Payment, command: Command) -> Decision | None:
    """The decision on a repeated operation: duplicate, or rejected where its body differs.

    None where the operation is new.
    """
    known = payment.operations.get(command.operation_id)
    if known is None:
        return None
    if known == command.fingerprint:
        return unchanged(payment, Outcome.DUPLICATE, "this operation was already processed")
    return rejected(
        payment, RejectionCode.KEY_REUSED, "this Idempotency-Key was already used with another body"
    )


def on_create(payment: Payment | None, command: Create, payment_id: str, at: datetime) -> Decision:
    """Creates the payment, unless its ID exists: the ID is a hash of tenant and Idempotency-Key."""
    if payment is not None:
        return known_operation(payment, command) or rejected(
            payment, RejectionCode.ALREADY_EXISTS, "this payment already exists"
        )
    return created(
        Payment(
            id=payment_id,
            tenant=command.tenant,
            created_at=at,
            updated_at=at,
            version=1,
            status=Status.CREATED,
            attempts=(Attempt(1, command.payment_method),),
            operations={command.operation_id: command.fingerprint},
            **payment_terms(command),
        )
    )


def on_command(
    payment: Payment | None, command: Confirm | Capture | Cancel | RefundCommand, at: datetime
) -> Decision:
    """Checks the tenant and whether the operation is new, then applies the command's own rule."""
    if payment is None or payment.tenant != command.tenant:
        return rejected(payment, RejectionCode.UNKNOWN_PAYMENT, "there is no such payment")
    known = known_operation(payment, command)
    if known is not None:
        return known
    expected = command.expected_version
    if expected is not None and expected != payment.version:
        return rejected(
            payment,
            RejectionCode.VERSION_MISMATCH,
            f"the command is for version {expected} of the payment, which is at {payment.version}",
        )
    decision = _RULES[type(command)](payment, command, at)
    if decision.outcome is not Outcome.APPLIED or decision.payment is None:
        return decision
    operations = {**decision.payment.operations, command.operation_id: command.fingerprint}
    return replace(decision, payment=replace(decision.payment, operations=operations))


def _confirm(payment: Payment, command: Confirm, at: datetime) -> Decision:
    if payment.status is not Status.REQUIRES_ACTION:
        return rejected(
            payment,
            RejectionCode.WRONG_STATUS,
            f"confirm needs a payment in REQUIRES_ACTION; it is {payment.status}"
            f"{_used_up(payment)}",
        )
    if not awaits_payment_method(payment):
        return rejected(
            payment,
            RejectionCode.ACTION_NEEDED,
            "the customer has to act first; a new payment method is not needed",
        )
    if payment.cancel is not None:
        return rejected(payment, RejectionCode.CANCEL_REQUESTED, "the payment is being cancelled")
    number = len(payment.attempts) + 1
    failed = len(failures(payment.facts))
    attempts = (*payment.attempts, Attempt(number, command.payment_method, failed))
    after = replace(payment, attempts=attempts)
    return changed(payment, after, at, f"attempt {number} requested")


def _used_up(payment: Payment) -> str:
    """Says that no attempt is left, where that is why: the commonest surprise."""
    if payment.status is not Status.FAILED or len(failures(payment.facts)) < payment.max_attempts:
        return ""
    return f", because max_attempts is {payment.max_attempts} and as many have failed"


def _capture(payment: Payment, command: Capture, at: datetime) -> Decision:
    if payment.status is not Status.AUTHORIZED:
        return rejected(
            payment,
            RejectionCode.WRONG_STATUS,
            f"capture needs a payment in AUTHORIZED; it is {payment.status}",
        )
    if payment.cancel is not None:
        return rejected(payment, RejectionCode.CANCEL_REQUESTED, "the payment is being cancelled")
    previous = payment.capture
    if previous is not None and previous.refusal is None:
        return rejected(
            payment,
            RejectionCode.CAPTURE_REQUESTED,
            f"a capture of {_format(payment, previous.amount)} is already in progress",
        )
    held = authorized(payment)
    amount = _requested(command.amount, held)
    if not 0 < amount <= held:
        requested, most = _format(payment, amount), _format(payment, held)
        return rejected(
            payment,
            RejectionCode.AMOUNT_TOO_LARGE,
            f"{requested} can't be captured; {most} is authorized",
        )
    number = 1 if previous is None else previous.number + 1
    after = replace(payment, capture=CaptureRequest(number, amount))
    return changed(payment, after, at, f"capture of {_format(payment, amount)} requested")


def _cancel(payment: Payment, command: Cancel, at: datetime) -> Decision:
    if is_final(payment.status):
        return rejected(payment, RejectionCode.WRONG_STATUS, f"{payment.status} is final")
    if payment.cancel is not None:
        return rejected(payment, RejectionCode.CANCEL_REQUESTED, "a cancel is already in progress")
    if command.expired:
        if payment.status is not Status.REQUIRES_ACTION:
            return rejected(
                payment,
                RejectionCode.WRONG_STATUS,
                f"only REQUIRES_ACTION expires; it is {payment.status}",
            )
        if at < payment.expires_at:
            return rejected(
                payment,
                RejectionCode.NOT_EXPIRED,
                f"it expires at {payment.expires_at.isoformat()}",
            )
    why = "the payment expired" if command.expired else "cancel requested"
    return changed(payment, replace(payment, cancel=CancelRequest(command.expired)), at, why)


def _refund(payment: Payment, command: RefundCommand, at: datetime) -> Decision:
    if payment.status is not Status.SUCCEEDED:
        return rejected(
            payment,
            RejectionCode.WRONG_STATUS,
            f"refund needs a payment in SUCCEEDED; it is {payment.status}",
        )
    if any(r.id == command.refund_id for r in payment.refunds):
        return rejected(payment, RejectionCode.ALREADY_EXISTS, "this refund already exists")
    left = refundable(payment)
    made = [r for r in payment.provider_refunds if command.refund_id in r.key_refund_ids]
    asked = {r.amount for r in made if _may_be_asked_for(payment, command, r)}
    if len(asked) == 1:  # the log was read out of order: the refund came before its command
        return _request_refund(payment, command, asked.pop(), at)
    if command.amount == ALL and made:
        why = f"refund {made[0].id} has this refund's key, so the refundable amount is unknown"
        return rejected(payment, RejectionCode.AMOUNT_UNKNOWN, f"{why}; name an amount")
    if command.amount == ALL and (pending := unproven_refund(payment)) is not None:
        why = f"the refundable amount is unknown until the provider responds to refund {pending}"
        return rejected(payment, RejectionCode.AMOUNT_UNKNOWN, f"{why}; name an amount")
    amount = _requested(command.amount, left)
    if not 0 < amount <= left:
        requested, rest = _format(payment, amount), _format(payment, left)
        why = f"{requested} can't be refunded; {rest} is left"
        if disputed := withdrawn(payment):
            why += f", disputes have withdrawn {_format(payment, disputed)}"
        return rejected(payment, RejectionCode.AMOUNT_TOO_LARGE, why)
    return _request_refund(payment, command, amount, at)


def _may_be_asked_for(payment: Payment, command: RefundCommand, made: ProviderRefund) -> bool:
    """Whether a refund that was made before is of the amount that the command asks for."""
    is_reserved = made.facts[-1].status in RESERVING and not is_release(payment, made.ref)
    left = refundable(payment) + (made.amount if is_reserved else 0)
    return 0 < made.amount == _requested(command.amount, left)


def _request_refund(
    payment: Payment, command: RefundCommand, amount: int, at: datetime
) -> Decision:
    refund = RefundRequest(id=command.refund_id, amount=amount, reason=command.reason)
    refunds = tuple(sorted((*payment.refunds, refund), key=lambda r: r.id))
    after = replace(payment, refunds=refunds)
    return changed(payment, after, at, f"refund of {_format(payment, amount)} requested")


#: Each command's own rule; ``on_command`` checks what they share.
_RULES: Final[Mapping[type, Callable[[Payment, Any, datetime], Decision]]] = {
    Confirm: _confirm,
    Capture: _capture,
    Cancel: _cancel,
    RefundCommand: _refund,
}
