"""Combines the provider's facts into one set: any order and repetition gives the same result.

A payment keeps only the facts that can still matter, so its size does not grow with the number of
webhooks: the latest fact of each terminal status, one fact for each failed attempt, and the latest
other fact of each attempt. ``add`` is commutative, associative and idempotent.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from domain.call_key import CallKey
from domain.inputs import DisputeFact, Movement, PaymentFact, RefundFact
from domain.status import DisputeStatus, ProviderStatus, RefundStatus

#: The order of facts of the same second: that in which a payment passes through the statuses.
RANK: Final = {status: rank for rank, status in enumerate(ProviderStatus)}

TERMINAL: Final = frozenset({ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED})

_REFUND_RANK: Final = {status: rank for rank, status in enumerate(RefundStatus)}
#: A settled status beats an open one, whenever it was reported. A failure beats a success.
_REFUND_CLASS: Final = {
    RefundStatus.REQUESTED: 1,
    RefundStatus.PENDING: 1,
    RefundStatus.REQUIRES_ACTION: 1,
    RefundStatus.SUCCEEDED: 2,
    RefundStatus.CANCELED: 3,
    RefundStatus.FAILED: 3,
}

_DISPUTE_RANK: Final = {status: rank for rank, status in enumerate(DisputeStatus)}
DISPUTE_CLOSED: Final = frozenset(
    {
        DisputeStatus.WARNING_CLOSED,
        DisputeStatus.PREVENTED,
        DisputeStatus.LOST,
        DisputeStatus.WON,
    }
)

Order = tuple[datetime, int, str]


def order(fact: PaymentFact) -> Order:
    """Later facts are greater: by time, then by rank, then by event ID to break the last tie."""
    return fact.occurred_at, RANK[fact.status], fact.event_id


def attempt_of(fact: PaymentFact) -> int:
    """The number of the attempt whose call caused the fact; 0 where the fact names none."""
    key = CallKey.parse(fact.caused_by)
    return key.attempt if key is not None else 0


def _slot(fact: PaymentFact) -> tuple[str, str]:
    """The fact's slot. Only one fact per slot is kept; slots don't affect each other."""
    if fact.status in TERMINAL:
        return "terminal", fact.status
    if fact.status is ProviderStatus.ATTEMPT_FAILED:
        return "failed", fact.attempt_ref or fact.event_id
    return "live", str(attempt_of(fact))


def add(facts: tuple[PaymentFact, ...], fact: PaymentFact) -> tuple[PaymentFact, ...]:
    """The facts with one more, in a canonical order, without those that can no longer matter."""
    kept = {_slot(known): known for known in facts}
    slot = _slot(fact)
    known = kept.get(slot)
    if known is None or _replaces(fact, known):
        kept[slot] = fact
    return tuple(sorted(kept.values(), key=order))


def _replaces(fact: PaymentFact, known: PaymentFact) -> bool:
    """Of two facts in one slot the later one stays; of two about one failure, the earlier one."""
    if fact.status is ProviderStatus.ATTEMPT_FAILED:
        return order(fact) < order(known)
    return order(fact) > order(known)


def superseding(facts: tuple[PaymentFact, ...], fact: PaymentFact) -> PaymentFact | None:
    """The known fact because of which this one adds nothing; None where it adds something."""
    slot = _slot(fact)
    known = next((known for known in facts if _slot(known) == slot), None)
    return known if known is not None and not _replaces(fact, known) else None


def failures(facts: Iterable[PaymentFact]) -> tuple[PaymentFact, ...]:
    """The failed attempts, earliest first."""
    return tuple(f for f in facts if f.status is ProviderStatus.ATTEMPT_FAILED)


def terminal(facts: Iterable[PaymentFact]) -> PaymentFact | None:
    """The fact that ends the payment at the provider; None where none is known."""
    known = [f for f in facts if f.status in TERMINAL]
    return max(known, key=order) if known else None


def latest_live(facts: Iterable[PaymentFact], failed_attempt: int) -> PaymentFact | None:
    """The latest fact that is neither terminal nor older than the last failed attempt.

    Within the second of that failure, the attempt decides: a fact is later where it belongs to an
    attempt after ``failed_attempt``, since a failed attempt does not continue. Where the fact names
    no attempt, the rank decides.
    """
    facts = tuple(facts)
    failed = failures(facts)
    live = [
        f
        for f in facts
        if f.status not in TERMINAL and f.status is not ProviderStatus.ATTEMPT_FAILED
    ]
    if failed:
        last = max(failed, key=order)
        live = [f for f in live if _is_after(f, last, failed_attempt)]
    return max(live, key=order) if live else None


def _is_after(fact: PaymentFact, failure: PaymentFact, failed_attempt: int) -> bool:
    if fact.occurred_at != failure.occurred_at:
        return fact.occurred_at > failure.occurred_at
    if attempt := attempt_of(fact):
        return attempt > failed_attempt
    return RANK[fact.status] > RANK[failure.status]


def refund_order(fact: RefundFact) -> tuple[int, datetime, int, str]:
    """The sort key of a refund's facts: the greatest one determines the refund's status."""
    return (
        _REFUND_CLASS[fact.status],
        fact.occurred_at,
        _REFUND_RANK[fact.status],
        fact.event_id,
    )


def add_refund_fact(facts: tuple[RefundFact, ...], fact: RefundFact) -> tuple[RefundFact, ...]:
    """The latest fact of each status; the one with the greatest order comes last."""
    kept = {known.status: known for known in facts}
    known = kept.get(fact.status)
    if known is None or refund_order(fact) > refund_order(known):
        kept[fact.status] = fact
    return tuple(sorted(kept.values(), key=refund_order))


def dispute_order(fact: DisputeFact) -> tuple[bool, datetime, int, str]:
    """The sort key of a dispute's facts. A closed dispute stays closed; the last closing counts."""
    return (
        fact.status in DISPUTE_CLOSED,
        fact.occurred_at,
        _DISPUTE_RANK[fact.status],
        fact.event_id,
    )


def add_movements(known: tuple[Movement, ...], new: tuple[Movement, ...]) -> tuple[Movement, ...]:
    """The union of both by the provider's reference: a movement reported twice counts once."""
    by_ref = {m.ref: m for m in (*known, *new)}
    return tuple(sorted(by_ref.values(), key=lambda m: m.ref))
