"""What ``decide`` answers."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.calls import ProviderCall, new_calls
from domain.money import shown
from domain.payment import Payment
from domain.status import Outcome, Status
from domain.transitions import is_allowed, is_final
from domain.view import amounts_in, snapshot, status_of


class Transition(Struct, frozen=True):
    """One change of a payment's status; ``source`` is None when the payment came to be."""

    source: Status | None
    target: Status


class Decision(Struct, frozen=True):
    """What became of one input: its outcome and why, the payment afterwards, what to do next."""

    outcome: Outcome
    reason: str
    payment: Payment | None
    transitions: tuple[Transition, ...] = ()
    provider_calls: tuple[ProviderCall, ...] = ()
    #: The record is refused for its binding or its form: the event, told rightly, may yet come.
    refused: bool = False
    #: The key of a call asked for before, to be made at once instead of when it is due.
    urgent_call: str | None = None


def unchanged(payment: Payment | None, outcome: Outcome, reason: str) -> Decision:
    """The input had no effect."""
    return Decision(outcome, reason, payment)


def created(payment: Payment) -> Decision:
    """The payment came to be."""
    calls = new_calls(payment)
    return Decision(
        Outcome.APPLIED,
        f"payment of {shown(payment.amount, payment.currency)} accepted",
        replace(payment, calls=frozenset(call.key for call in calls)),
        (Transition(None, payment.status),),
        calls,
    )


def changed(before: Payment, after: Payment, at: datetime, reason: str) -> Decision:
    """The input was taken in: derive the status and the calls, and guard what must never happen.

    The amounts always add up; the version grows by one when the published payment differs;
    ``updated_at`` never goes back.
    """
    status = status_of(after)
    if status is not before.status and not is_allowed(before.status, status):
        kind = "is final" if is_final(before.status) else "does not allow it"
        return unchanged(
            before, Outcome.CONFLICT, f"says {status}, but {before.status} {kind}: {reason}"
        )
    money = amounts_in(after, status)
    if not 0 <= money.captured <= money.authorized:
        captured, authorized = (
            shown(amount, before.currency) for amount in (money.captured, money.authorized)
        )
        wrong = f"the amounts don't add up ({captured} captured of {authorized} authorized)"
        return unchanged(before, Outcome.CONFLICT, f"{wrong}: {reason}")
    calls = new_calls(after)
    keys = after.calls | {call.key for call in calls}
    transitions: tuple[Transition, ...] = ()
    if status is not before.status:
        transitions = (Transition(before.status, status),)
        reason = f"{before.status} → {status}: {reason}"
    if transitions or snapshot(after) != snapshot(before):
        version, updated_at = before.version + 1, max(before.updated_at, at)
        after = replace(after, status=status, calls=keys, version=version, updated_at=updated_at)
    elif calls:
        after = replace(after, calls=keys)
    return Decision(Outcome.APPLIED, reason, after, transitions, calls)
