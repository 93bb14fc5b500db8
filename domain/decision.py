"""The decision that ``decide`` returns."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.call_key import Operation
from domain.calls import ProviderCall, new_calls
from domain.money import format_amount
from domain.payment import Payment
from domain.status import OperationStatus, Outcome, RejectionCode
from domain.transitions import is_allowed, is_final
from domain.view import captured, is_published_alike, status_of


class OperationChange(Struct, frozen=True, kw_only=True):
    """One change of one operation. The version is the payment's after it; None without one."""

    #: Of the command.
    event_id: str
    type: Operation
    tenant: str
    status: OperationStatus
    code: str | None
    reason: str
    version: int | None
    refund_id: str | None
    #: When the command came.
    received_at: datetime
    updated_at: datetime


class Decision(Struct, frozen=True, kw_only=True):
    """The outcome of one input and its reason, the payment afterwards, and the calls to make."""

    outcome: Outcome
    reason: str
    payment: Payment | None
    provider_calls: tuple[ProviderCall, ...] = ()
    #: The record is refused, but not the event: a correct record of the same event may follow.
    refused: bool = False
    #: The key of an earlier call, which is to be made at once instead of when it is due.
    urgent_call: str | None = None
    #: Why a command is rejected, for programs.
    code: RejectionCode | None = None
    #: What changes of the operations that clients asked for.
    operations: tuple[OperationChange, ...] = ()


def unchanged(
    payment: Payment | None, outcome: Outcome, reason: str, code: RejectionCode | None = None
) -> Decision:
    """The decision on an input without effect."""
    return Decision(outcome=outcome, reason=reason, payment=payment, code=code)


def created(payment: Payment) -> Decision:
    """The decision that creates the payment."""
    calls = new_calls(payment)
    return Decision(
        outcome=Outcome.APPLIED,
        reason=f"payment of {format_amount(payment.amount, payment.currency)} accepted",
        payment=replace(payment, calls=frozenset(call.key for call in calls)),
        provider_calls=calls,
    )


def changed(before: Payment, after: Payment, at: datetime, reason: str) -> Decision:
    """The decision that turns ``before`` into ``after``; a conflict where that is impossible.

    Derives status and provider calls. A change is impossible where the state machine does not
    allow the new status, or less than nothing would be captured. The version grows by one where
    the published payment differs. ``updated_at`` never goes back.
    """
    status = status_of(after)
    if status is not before.status and not is_allowed(before.status, status):
        kind = "is final" if is_final(before.status) else "does not allow that"
        why = f"the payment would become {status}, but {before.status} {kind}: {reason}"
        return unchanged(before, Outcome.CONFLICT, why)
    amount = captured(after)
    if amount < 0:
        why = f"{format_amount(amount, before.currency)} would be captured: {reason}"
        return unchanged(before, Outcome.CONFLICT, why)
    calls = new_calls(after)
    keys = after.calls | {call.key for call in calls}
    if status is not before.status:
        reason = f"{before.status} → {status}: {reason}"
    if status is not before.status or not is_published_alike(before, after):
        version, updated_at = before.version + 1, max(before.updated_at, at)
        after = replace(after, status=status, calls=keys, version=version, updated_at=updated_at)
    elif calls:
        after = replace(after, calls=keys)
    return Decision(outcome=Outcome.APPLIED, reason=reason, payment=after, provider_calls=calls)
