"""Combines the provider's facts into one set: any order and repetition gives the same result.

A payment keeps only the facts that can still matter, so its size does not grow with the number of
webhooks: the latest fact of each terminal status, with and without a cause, one fact for each
failed attempt (by its name, our call, or its code), and the latest other fact of each attempt.
``add`` is commutative, associative and idempotent.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from domain.call_key import CallKey
from domain.inputs import PaymentFact, RefundFact
from domain.status import ProviderStatus, RefundStatus

#: The order of facts of the same second: that in which a payment passes through the statuses.
RANK: Final = {status: rank for rank, status in enumerate(ProviderStatus)}

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

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

Order = tuple[datetime, int, int, str]


def order(fact: PaymentFact) -> Order:
    """Later facts are greater: by time, then by rank, then by amount, then by event ID.

    An authorized amount only ever grows. The event ID breaks the last tie.
    """
    return fact.occurred_at, RANK[fact.status], fact.amount, fact.event_id


def attempt_of(fact: PaymentFact) -> int:
    """The number of the attempt whose call caused the fact; 0 where the fact names none."""
    key = CallKey.parse(fact.caused_by)
    return key.attempt if key is not None else 0


def has_cause(fact: PaymentFact) -> bool:
    """Whether the report says what caused it: which call of ours, or that none did."""
    return fact.names_cause or fact.caused_by is not None


def _slot(fact: PaymentFact) -> tuple[str, str]:
    """The fact's slot. Only one fact per slot is kept; slots don't affect each other."""
    if fact.status in TERMINAL:
        # a report without a cause must not replace the one that has it
        return "terminal", f"{fact.status} by cause" if has_cause(fact) else str(fact.status)
    if fact.status is not ProviderStatus.ATTEMPT_FAILED:
        return "live", str(attempt_of(fact))
    if fact.attempt_ref is not None:
        return "failed", fact.attempt_ref
    if attempt := attempt_of(fact):
        return "failed by call", str(attempt)
    return "failed with code", _code(fact)


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
    """The failed attempts, earliest first.

    A report that names neither the attempt nor a call of ours may be one more report of a failure
    that is known already. It counts where none of the same code happened by then.
    """
    failed = [f for f in facts if f.status is ProviderStatus.ATTEMPT_FAILED]
    first = dict[str, datetime]()  # by code, when the first failure with a name happened
    for fact in failed:
        if _names_attempt(fact):
            first.setdefault(_code(fact), fact.occurred_at)
    return tuple(
        f for f in failed if _names_attempt(f) or f.occurred_at < first.get(_code(f), _NEVER)
    )


def _names_attempt(fact: PaymentFact) -> bool:
    return fact.attempt_ref is not None or attempt_of(fact) > 0


def _code(fact: PaymentFact) -> str:
    return fact.failure.code if fact.failure is not None else ""


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
