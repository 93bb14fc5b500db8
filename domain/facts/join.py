"""Combines the provider's facts into one set: any order and repetition gives the same result.

A payment keeps only the facts that can still matter, so its size does not grow with the number of
webhooks: the latest fact of each terminal status, with and without a cause, one fact for each
failed attempt (by its name and our call, or its code), and the latest other fact of each attempt.
``add`` is commutative, associative and idempotent.
"""

from collections.abc import Collection, Iterable
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
    attempt = attempt_of(fact)
    if fact.attempt_ref is not None:
        # a report that names no call must not replace the one that does
        return f"failed, of attempt {attempt}", fact.attempt_ref
    if attempt:
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
    """The failed attempts, earliest first: of each the earliest report.

    A report that names neither the attempt nor a call of ours may be one more report of a failure
    that is known already. It counts where none of the same code happened by then.
    """
    failed = sorted((f for f in facts if f.status is ProviderStatus.ATTEMPT_FAILED), key=order)
    first = dict[str, datetime]()  # by code, when the first failure with a name happened
    for fact in failed:
        if _names_attempt(fact):
            first.setdefault(_code(fact), fact.occurred_at)
    nameless = [f for f in failed if not _names_attempt(f)]
    alone = [f for f in nameless if f.occurred_at < first.get(_code(f), _NEVER)]
    return tuple(sorted([*_by_name_or_call(failed), *alone], key=order))


def _by_name_or_call(failed: Collection[PaymentFact]) -> list[PaymentFact]:
    """The failures that are known by the provider's name or by our call, of these in their order.

    A report with our call alone and one with the name are of one failure if any report has both. If
    no report of that name has a call, they are taken for one if the name came later and the code is
    the same: a failure that is counted twice would end a payment that has attempts left.
    """
    named = dict[str, PaymentFact]()
    ref_of = dict[int, str]()  # by the number of an attempt
    by_call = dict[int, PaymentFact]()
    for fact in failed:
        number = attempt_of(fact)
        if fact.attempt_ref is None:
            by_call |= {number: fact} if number else {}
            continue
        named.setdefault(fact.attempt_ref, fact)
        if number:
            ref_of.setdefault(number, fact.attempt_ref)
    has_call = {f.attempt_ref for f in failed if attempt_of(f)}
    open_refs = [ref for ref in named if ref not in has_call]
    alone = []
    for number, fact in by_call.items():
        ref = ref_of.get(number) or next((r for r in open_refs if _may_be(fact, named[r])), None)
        if ref is None:
            alone.append(fact)
            continue
        named[ref] = min(named[ref], fact, key=order)
        open_refs = [each for each in open_refs if each != ref]
    return [*named.values(), *alone]


def _may_be(fact: PaymentFact, named: PaymentFact) -> bool:
    """Whether a report with a name may be a later one about the same failure."""
    return fact.occurred_at <= named.occurred_at and _code(fact) == _code(named)


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
