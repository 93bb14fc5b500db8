"""The provider's side of a payment as a join: any order and repetition of the facts, one result.

A payment keeps a sufficient part of the facts it heard, so what it stores does not grow with the
number of webhooks: every terminal kind's latest, each failed attempt once, and the latest of the
rest per attempt. ``add`` is commutative, associative and idempotent.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from domain.call_key import CallKey
from domain.inputs import DisputeFact, Movement, PaymentFact, RefundFact
from domain.status import DisputeStatus, ProviderStatus, RefundStatus

#: Order of facts of the same second, as a payment runs through them.
RANK: Final = {status: rank for rank, status in enumerate(ProviderStatus)}

TERMINAL: Final = frozenset({ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED})

_REFUND_RANK: Final = {status: rank for rank, status in enumerate(RefundStatus)}
#: What settles a refund beats what does not, whenever it was said; a failure beats a success.
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
    """Facts in one slot replace each other, the later one staying; other slots don't see it."""
    if fact.status in TERMINAL:
        return "terminal", fact.status
    if fact.status is ProviderStatus.ATTEMPT_FAILED:
        return "failed", fact.attempt_ref or fact.event_id
    return "live", str(attempt_of(fact))


def add(facts: tuple[PaymentFact, ...], fact: PaymentFact) -> tuple[PaymentFact, ...]:
    """The facts with one more heard, in a canonical order, keeping what the view needs."""
    kept = {_slot(known): known for known in facts}
    slot = _slot(fact)
    known = kept.get(slot)
    if known is None or _replaces(fact, known):
        kept[slot] = fact
    return tuple(sorted(kept.values(), key=order))


def _replaces(fact: PaymentFact, known: PaymentFact) -> bool:
    """Of two facts of one slot the later stays; of one failure told twice, the first telling."""
    if fact.status is ProviderStatus.ATTEMPT_FAILED:
        return order(fact) < order(known)
    return order(fact) > order(known)


def kept_instead(facts: tuple[PaymentFact, ...], fact: PaymentFact) -> PaymentFact | None:
    """The known fact that makes this one say nothing new, if there is one."""
    slot = _slot(fact)
    known = next((known for known in facts if _slot(known) == slot), None)
    return known if known is not None and not _replaces(fact, known) else None


def failures(facts: Iterable[PaymentFact]) -> tuple[PaymentFact, ...]:
    """The failed attempts, earliest first."""
    return tuple(f for f in facts if f.status is ProviderStatus.ATTEMPT_FAILED)


def terminal(facts: Iterable[PaymentFact]) -> PaymentFact | None:
    """The fact after which the provider cannot change its mind, if one is known."""
    known = [f for f in facts if f.status in TERMINAL]
    return max(known, key=order) if known else None


def latest_live(facts: Iterable[PaymentFact], failed_attempt: int) -> PaymentFact | None:
    """The latest fact that is neither terminal nor older than the last failed attempt.

    Within the second of that failure, a fact known to belong to an attempt is the later one where
    that attempt is after ``failed_attempt``: an attempt that failed does not go on. A fact that
    names no attempt is the later one by its rank.
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
    """The refund fact with the greatest order tells the refund's status."""
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
    """A closed dispute is not reopened by an older word; among closings the later one holds."""
    return (
        fact.status in DISPUTE_CLOSED,
        fact.occurred_at,
        _DISPUTE_RANK[fact.status],
        fact.event_id,
    )


def add_movements(known: tuple[Movement, ...], heard: tuple[Movement, ...]) -> tuple[Movement, ...]:
    """The union of movements by the provider's reference: told twice, moved once."""
    by_ref = {m.ref: m for m in (*known, *heard)}
    return tuple(sorted(by_ref.values(), key=lambda m: m.ref))
