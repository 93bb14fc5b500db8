"""The meaning of a set of inputs: a second, independent specification of a payment's end state.

``meaning_of`` takes all inputs at once and derives the end state from them alone. It shares only
the input types and the enums with ``domain``: where the two disagree, one of them is wrong.
It is meant for the inputs that were *taken in*: rejected inputs and conflicts do not count. Nor
does a fact about an object that is not proven to be this payment's, by the response to our own
create or by an event that carries that call's key. Repeats do no harm. Order matters in one case
only: a confirm follows the failures that were reported before it.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.inputs import (
    CallResult,
    Cancel,
    Confirm,
    Create,
    DisputeFact,
    Input,
    PaymentFact,
    Refund,
    RefundFact,
)
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus, Status

_LIVE = {
    ProviderStatus.OPEN: Status.PROCESSING,
    ProviderStatus.ACTION_NEEDED: Status.REQUIRES_ACTION,
    ProviderStatus.PENDING: Status.PROCESSING,
    ProviderStatus.AUTHORIZED: Status.AUTHORIZED,
}
_PROVIDER_ORDER = tuple(ProviderStatus)
_REFUND_ORDER = tuple(RefundStatus)
_REFUND_RETURNED = (RefundStatus.FAILED, RefundStatus.CANCELED)
_DISPUTE_ORDER = tuple(DisputeStatus)
_DISPUTE_CLOSED = (
    DisputeStatus.WARNING_CLOSED,
    DisputeStatus.PREVENTED,
    DisputeStatus.LOST,
    DisputeStatus.WON,
)


@dataclass(frozen=True)
class RefundMeaning:
    """A refund's end state; ``reversed``: it succeeded, and the bank returned the money to us."""

    status: RefundStatus
    reversed: bool = False


@dataclass(frozen=True)
class DisputeMeaning:
    """A dispute's end state, and the minor units it moved (neither is negative)."""

    status: DisputeStatus
    withdrawn: int = 0
    reinstated: int = 0


@dataclass(frozen=True)
class Meaning:
    """A payment's end state. Amounts are minor units of its currency."""

    status: Status
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refunds: Mapping[str, RefundMeaning] = field(default_factory=dict)
    disputes: Mapping[str, DisputeMeaning] = field(default_factory=dict)


def meaning_of(payment_id: str, taken_in: Iterable[Input]) -> Meaning:
    """Return the end state these inputs mean.

    Args:
        payment_id: the payment's ID, with which the keys of our own calls begin.
        taken_in: its create, the accepted commands, every fact, every result of a call, in the
            order in which they were taken in.

    Raises:
        ValueError: there is not exactly one create among them.
    """
    # By event ID: an event that is reported again is the same event.
    bodies = [entry.body for entry in {entry.event_id: entry for entry in taken_in}.values()]
    creates = [body for body in bodies if isinstance(body, Create)]
    if len(creates) != 1:
        raise ValueError(f"a payment has exactly one create, here are {len(creates)}")
    results = [body for body in bodies if isinstance(body, CallResult)]
    own_object = _own_object(payment_id, results, bodies)
    payment_facts = [b for b in bodies if isinstance(b, PaymentFact) and b.object_id == own_object]
    refund_facts = [b for b in bodies if isinstance(b, RefundFact) and b.object_id == own_object]
    dispute_facts = [b for b in bodies if isinstance(b, DisputeFact) and b.object_id == own_object]
    refused = {result.call_key for result in results if result.refusal is not None}

    status = _final_status(payment_id, payment_facts, refused)
    if status is None:
        status = _unfinished_status(
            payment_id,
            _attempts(payment_id, bodies, refused),
            payment_facts,
            max_attempts=creates[0].max_attempts,
            object_known=own_object is not None,
        )
    requested = {body.refund_id for body in bodies if isinstance(body, Refund)}
    proven = _proven(payment_id, requested, refund_facts, results)
    refunds = _refunds(payment_id, requested, proven, refund_facts, refused)
    succeeded = status is Status.SUCCEEDED
    captured = _captured(payment_facts) if succeeded else 0
    return Meaning(
        status=status,
        authorized=creates[0].amount if succeeded or status is Status.AUTHORIZED else 0,
        captured=captured,
        # A returned refund and its replacement may be reported in the wrong order, but never is
        # more refunded than was captured.
        refunded=min(_refunded(refund_facts), captured),
        refunds=refunds,
        disputes=_disputes(dispute_facts),
    )


def cancel_is_requested(payment_id: str, taken_in: Iterable[Input]) -> bool:
    """Return whether these inputs, as for ``meaning_of``, request a cancel that was not refused."""
    bodies = [entry.body for entry in {entry.event_id: entry for entry in taken_in}.values()]
    requested = sum(isinstance(body, Cancel) for body in bodies)
    refused = {
        body.call_key
        for body in bodies
        if isinstance(body, CallResult)
        and body.refusal is not None
        and re.fullmatch(rf"{re.escape(payment_id)}:cancel:\d+", body.call_key)
    }
    return requested > len(refused)


def _own_object(
    payment_id: str, results: Iterable[CallResult], bodies: Iterable[object]
) -> str | None:
    """Return the provider's object that is provably this payment's, if one is."""
    for result in results:
        if result.operation == "create" and result.object_id is not None:
            return result.object_id
    for body in bodies:
        # the key of a create that was made again ends in a number
        if isinstance(body, PaymentFact) and re.fullmatch(
            rf"{re.escape(payment_id)}:create(\.\d+)?", body.caused_by or ""
        ):
            return body.object_id
    return None


def _final_status(
    payment_id: str, facts: Collection[PaymentFact], refused: Collection[str]
) -> Status | None:
    """Return the final status, if any. Terminal facts and a refusal to create beat all others."""
    if any(fact.status is ProviderStatus.SUCCEEDED for fact in facts):
        return Status.SUCCEEDED
    canceled = [fact for fact in facts if fact.status is ProviderStatus.CANCELED]
    if any(fact.cancel_cause is CancelCause.ATTEMPTS_EXHAUSTED for fact in canceled):
        return Status.FAILED
    if canceled:
        return Status.CANCELED
    return Status.FAILED if f"{payment_id}:create" in refused else None


@dataclass(frozen=True)
class _Attempt:
    """An attempt that the provider did not refuse, and the failures reported before it."""

    number: int
    failures_before: int


def _attempts(
    payment_id: str, bodies: Iterable[object], refused: Collection[str]
) -> list[_Attempt]:
    """Return the attempts that were not refused. The create's is number 1, then each confirm's."""
    attempts = [_Attempt(1, 0)]
    reported: list[PaymentFact] = []
    for body in bodies:
        if isinstance(body, PaymentFact):
            reported.append(body)
        elif isinstance(body, Confirm):
            attempts.append(_Attempt(len(attempts) + 1, len(_first_reports(reported))))
    return [a for a in attempts if f"{payment_id}:confirm:{a.number}" not in refused]


def _attempt_named_by(payment_id: str, fact: PaymentFact) -> int:
    """Return the number of the attempt whose call caused this fact; 0 if it names none.

    The key of a call that was made again ends in ``.1``, ``.2`` and so on.
    """
    call_key, *_ = (fact.caused_by or "").split(".")
    match call_key.split(":"):
        case [owner, "create", *_] if owner == payment_id:
            return 1
        case [owner, "confirm", number, *_] if owner == payment_id:
            return int(number)
    return 0


def _unfinished_status(
    payment_id: str,
    attempts: Collection[_Attempt],
    facts: Collection[PaymentFact],
    *,
    max_attempts: int,
    object_known: bool,
) -> Status:
    failures = _first_reports(facts)
    over = [attempt.number for attempt in attempts if attempt.failures_before < len(failures)]
    live = [fact for fact in facts if fact.status in _LIVE]
    if failures:
        last, last_over = failures[-1], max(over)
        live = [fact for fact in live if _outlives(payment_id, fact, last, last_over)]
    if live:
        return _LIVE[max(live, key=_order).status]
    all_over = len(over) == len(attempts)
    if failures and len(failures) < max_attempts and all_over:
        return Status.REQUIRES_ACTION
    return Status.PROCESSING if object_known else Status.CREATED


def _outlives(payment_id: str, fact: PaymentFact, failure: PaymentFact, last_over: int) -> bool:
    """Return whether the fact is newer. In the same second, a named attempt decides."""
    if fact.occurred_at == failure.occurred_at:
        named = _attempt_named_by(payment_id, fact)
        return named > last_over if named else _order(fact)[1] > _order(failure)[1]
    return fact.occurred_at > failure.occurred_at


def _order(fact: PaymentFact) -> tuple[datetime, int, str]:
    return fact.occurred_at, _PROVIDER_ORDER.index(fact.status), fact.event_id


def _first_reports(facts: Iterable[PaymentFact]) -> list[PaymentFact]:
    """Return each failed attempt once, as first reported, in the order of time."""
    first: dict[str, PaymentFact] = {}
    reported = [fact for fact in facts if fact.status is ProviderStatus.ATTEMPT_FAILED]
    for fact in sorted(reported, key=lambda fact: (fact.occurred_at, fact.event_id)):
        first.setdefault(fact.attempt_ref or fact.event_id, fact)
    return list(first.values())


def _captured(facts: Iterable[PaymentFact]) -> int:
    reported = [fact for fact in facts if fact.status is ProviderStatus.SUCCEEDED]
    return max(reported, key=_order).captured


def _refund_order(fact: RefundFact) -> tuple[int, datetime, int, str]:
    if fact.status in _REFUND_RETURNED:
        strength = 2
    else:
        strength = 1 if fact.status is RefundStatus.SUCCEEDED else 0
    return strength, fact.occurred_at, _REFUND_ORDER.index(fact.status), fact.event_id


def _proven(
    payment_id: str,
    requested: Collection[str],
    facts: Collection[RefundFact],
    results: Iterable[CallResult],
) -> dict[str, str]:
    """Return our refund's ID by the provider's refund, where that is proven.

    The response to our own call is the first proof, the key of our call in an event the second.
    A refund's metadata proves nothing, because anybody can write it.
    """
    proven: dict[str, str] = {}
    for result in results:
        match result.call_key.split(":"):
            case [owner, "refund", refund_id] if owner == payment_id and result.object_id:
                proven[result.object_id] = refund_id
    for ref in sorted({fact.ref for fact in facts}):
        echoed = [_echoed_by(payment_id, fact) for fact in facts if fact.ref == ref]
        refund_id = min(filter(None, echoed), default="")
        if ref not in proven and refund_id in requested and refund_id not in proven.values():
            proven[ref] = refund_id
    return proven


def _echoed_by(payment_id: str, fact: RefundFact) -> str:
    match (fact.caused_by or "").split(".")[0].split(":"):
        case [owner, "refund", refund_id] if owner == payment_id:
            return refund_id
    return ""


def _refunds(
    payment_id: str,
    requested: Collection[str],
    proven: Mapping[str, str],
    facts: Collection[RefundFact],
    refused: Collection[str],
) -> dict[str, RefundMeaning]:
    """Return each refund, requested by us or only reported by the provider.

    Leaves out a refund that claims an ID of ours while that claim is unproven.
    """
    meanings = {}
    for refund_id in requested:
        is_refused = f"{payment_id}:refund:{refund_id}" in refused
        meanings[refund_id] = RefundMeaning(
            RefundStatus.FAILED if is_refused else RefundStatus.REQUESTED
        )
    unclear = {
        refund_id
        for refund_id, meaning in meanings.items()
        if meaning.status is RefundStatus.REQUESTED and refund_id not in proven.values()
    }
    for ref in {fact.ref for fact in facts}:
        own = [fact for fact in facts if fact.ref == ref]
        if ref not in proven and any(fact.claims in unclear for fact in own):
            continue
        reported = {fact.status for fact in own}
        meanings[proven.get(ref, own[0].refund_id)] = RefundMeaning(
            max(own, key=_refund_order).status,
            RefundStatus.SUCCEEDED in reported and not reported.isdisjoint(_REFUND_RETURNED),
        )
    return meanings


def _refunded(facts: Collection[RefundFact]) -> int:
    """Return the refunded amount: the sum of the refunds that succeeded and were not returned."""
    strongest = [
        max((fact for fact in facts if fact.ref == ref), key=_refund_order)
        for ref in {fact.ref for fact in facts}
    ]
    return sum(fact.amount for fact in strongest if fact.status is RefundStatus.SUCCEEDED)


def _disputes(facts: Collection[DisputeFact]) -> dict[str, DisputeMeaning]:
    """Return each dispute. A movement that several facts report counts once."""
    meanings = {}
    for dispute_id in {fact.dispute_id for fact in facts}:
        own = [fact for fact in facts if fact.dispute_id == dispute_id]
        moved = {movement.ref: movement.amount for fact in own for movement in fact.movements}
        meanings[dispute_id] = DisputeMeaning(
            max(own, key=_dispute_order).status,
            withdrawn=sum(amount for amount in moved.values() if amount > 0),
            reinstated=-sum(amount for amount in moved.values() if amount < 0),
        )
    return meanings


def _dispute_order(fact: DisputeFact) -> tuple[bool, datetime, int, str]:
    closed = fact.status in _DISPUTE_CLOSED
    return closed, fact.occurred_at, _DISPUTE_ORDER.index(fact.status), fact.event_id
