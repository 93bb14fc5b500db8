"""The refunds that a set of inputs means: the part of ``tests.oracle`` about refunds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.inputs import CallResult, RefundFact
from domain.status import RefundStatus, Status

_YOUNGEST = datetime.max.replace(tzinfo=UTC)
_REFUND_ORDER = tuple(RefundStatus)
_REFUND_RETURNED = (RefundStatus.FAILED, RefundStatus.CANCELED)


@dataclass(frozen=True)
class RefundMeaning:
    """A refund's end state; ``reversed``: it succeeded, and the bank returned the money to us."""

    status: RefundStatus
    reversed: bool = False


GIVEN_BACK = RefundMeaning(RefundStatus.SUCCEEDED)


@dataclass(frozen=True)
class Refunds:
    """What a payment's refunds have come to. Amounts are minor units."""

    #: By public ID.
    each: Mapping[str, RefundMeaning]
    refunded: int
    #: What can't be refunded once more, because it was given back or may have been.
    reserved: int
    #: By the provider's refund: what it takes of the captured money as long as it is not returned.
    taken: Mapping[str, int]


def refunds_meaning(
    payment_id: str,
    requested: Mapping[str, int],
    results: Sequence[CallResult],
    facts: Sequence[RefundFact],
    status: Status,
    *,
    uncaptured: int,
    captured: int,
    captured_by_us: bool,
) -> Refunds:
    """Return each refund's end state by its public ID, and what was given back in all.

    Args:
        payment_id: the payment's ID.
        requested: the amount of each accepted refund, by its ID.
        results: every result of a call of the payment.
        facts: every fact about a refund of the payment's object, totals too.
        status: the payment's end state.
        uncaptured: what a capture left of the authorization, in minor units.
        captured: what it captured.
        captured_by_us: whether it was our own capture.
    """
    seen = [f.amount for f in facts if f.is_total and f.may_be_release and f.amount]
    # a release would have been in every total
    is_impossible = captured_by_us or min(seen, default=uncaptured) < uncaptured
    is_shown = uncaptured == min(seen, default=0) or captured < max(seen, default=0)
    refused = {result.call_key for result in results if result.refusal is not None}
    named = single(facts)
    answered = _answered(payment_id, results)
    proven = proven_refunds(payment_id, requested, named, answered)
    let_go = released(status, named, proven, uncaptured=uncaptured, is_impossible=is_impossible)
    named = [fact for fact in named if fact.ref not in let_go]
    refunds = refund_meanings(payment_id, requested, proven, named, refused)
    amounts = {
        key: n for key, n in requested.items() if f"{payment_id}:refund:{key}" not in refused
    }
    by_name = {proven[fact.ref] for fact in named if fact.ref in proven}
    nameless = {key: amount for key, amount in amounts.items() if key not in by_name}
    totals = totals_meaning(
        payment_id,
        facts if status is Status.SUCCEEDED else (),
        named,
        nameless,
        answered.values(),
        uncaptured if not is_impossible and (let_go or is_shown) else 0,
    )
    refunds |= dict.fromkeys(totals.ours, GIVEN_BACK)
    if totals.unnamed:
        refunds[totals.unnamed_id] = GIVEN_BACK
    in_totals = totals.unnamed + sum(amounts[refund_id] for refund_id in totals.ours)
    taken = {f.ref: f.amount for f in strongest(named) if f.status not in _REFUND_RETURNED}
    # before our call has an answer, the refund in the total may be another one
    unsure = sum(amounts[refund_id] for refund_id in totals.ours - set(answered.values()))
    return Refunds(
        each=refunds,
        refunded=refunded_amount(named) + in_totals,
        reserved=sum(taken.values()) + sum(nameless.values()) + totals.unnamed + unsure,
        taken=taken,
    )


def _refund_order(fact: RefundFact) -> tuple[int, datetime, int, str]:
    if fact.status in _REFUND_RETURNED:
        strength = 2
    else:
        strength = 1 if fact.status is RefundStatus.SUCCEEDED else 0
    return strength, fact.occurred_at, _REFUND_ORDER.index(fact.status), fact.event_id


def _answered(payment_id: str, results: Iterable[CallResult]) -> dict[str, str]:
    """Return our refund's ID by the provider's refund, as the answers to our calls name it."""
    named: dict[str, str] = {}
    for result in results:
        match result.call_key.split(":"):
            case [owner, "refund", refund_id] if owner == payment_id and result.object_id:
                named[result.object_id] = refund_id
    return named


def proven_refunds(
    payment_id: str,
    requested: Mapping[str, int],
    facts: Collection[RefundFact],
    answered: Mapping[str, str],
) -> dict[str, str]:
    """Return our refund's ID by the provider's refund, where that is proven.

    The response to our own call is the first proof, the key of our call in an event the second, if
    the refund is of the amount that we asked for. A refund's metadata proves nothing, because
    anybody can write it.
    """
    proven = dict(answered)
    for ref in sorted({fact.ref for fact in facts}):
        own = [fact for fact in facts if fact.ref == ref]
        for refund_id in sorted({echoed_by(payment_id, fact) for fact in own}):
            is_free = ref not in proven and refund_id not in proven.values()
            if is_free and requested.get(refund_id) == own[0].amount:
                proven[ref] = refund_id
    return proven


def echoed_by(payment_id: str, fact: RefundFact) -> str:
    """Return the refund ID of ours in the fact's call key; empty where there is none."""
    match (fact.caused_by or "").split(".")[0].split(":"):
        case [owner, "refund", refund_id] if owner == payment_id:
            return refund_id
    return ""


def refund_meanings(
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


def single(facts: Iterable[RefundFact]) -> list[RefundFact]:
    """Return the facts that are each about one refund, with those that a total lists."""
    return [each for fact in facts for each in (fact.listed if fact.is_total else (fact,))]


@dataclass(frozen=True)
class Totals:
    """What totals add to the named refunds: our own that they prove, and an amount without name."""

    ours: frozenset[str] = frozenset()
    unnamed_id: str = ""
    unnamed: int = 0


def totals_meaning(
    payment_id: str,
    facts: Collection[RefundFact],
    given_back: Collection[RefundFact],
    requested: Mapping[str, int],
    answered: Collection[str],
    let_go: int,
) -> Totals:
    """Return what the totals mean.

    Args:
        payment_id: the payment's ID.
        facts: all facts about refunds.
        given_back: the facts about single refunds that are real ones.
        requested: the amounts of our own refunds that were not refused and that no report names.
        answered: those of which the answer to our own call has come.
        let_go: the amount that somebody else's capture of a part let go.
    """
    totals = [fact for fact in facts if fact.is_total]
    if not totals:
        return Totals()
    last = max(
        totals, key=lambda fact: (fact.amount > 0, fact.occurred_at, fact.amount, fact.event_id)
    )
    rest = last.amount - (let_go if last.may_be_release else 0)
    for end in strongest(given_back):
        own = [fact for fact in given_back if fact.ref == end.ref]
        was_made = min([f.made_at for f in own if f.made_at] or [f.occurred_at for f in own])
        is_back = end.status in _REFUND_RETURNED and end.occurred_at < last.occurred_at
        if was_made <= last.occurred_at and not is_back:
            rest -= end.amount
    ours = set()
    echoed = {echoed_by(payment_id, fact) for fact in totals} & set(requested)
    # with a key of ours somebody may have refunded less
    for refund_id in sorted(echoed & set(answered)) + sorted(echoed - set(answered)):
        if requested[refund_id] <= rest:
            ours.add(refund_id)
            rest -= requested[refund_id]
    return Totals(frozenset(ours), last.refund_id, max(0, rest))


def strongest(facts: Collection[RefundFact]) -> list[RefundFact]:
    """Return the fact that counts of each of the provider's refunds."""
    return [
        max((fact for fact in facts if fact.ref == ref), key=_refund_order)
        for ref in sorted({fact.ref for fact in facts})
    ]


def refunded_amount(facts: Collection[RefundFact]) -> int:
    """Return the refunded amount: the sum of the refunds that succeeded and were not returned."""
    succeeded = (f for f in strongest(facts) if f.status is RefundStatus.SUCCEEDED)
    return sum(fact.amount for fact in succeeded)


def released(
    status: Status,
    facts: Collection[RefundFact],
    proven: Collection[str],
    *,
    uncaptured: int,
    is_impossible: bool,
) -> set[str]:
    """Return the provider's refunds that give nothing back: they let go of an authorization.

    A refund of ours is none of them, nor one of which a report says that it is a real one. Without
    a capture all others are. After somebody else's capture of a part it is the oldest one of
    exactly the rest, a succeeded one if there is any, and never one that was returned.
    """
    refs = {fact.ref for fact in facts}
    for fact in facts:
        if not fact.may_be_release or fact.ref in proven:
            refs.discard(fact.ref)
    if status is not Status.SUCCEEDED:
        return refs
    if uncaptured == 0 or is_impossible:
        return set()
    refs -= {fact.ref for fact in facts if fact.status in _REFUND_RETURNED}
    rest = [f for f in facts if f.ref in refs and f.amount == uncaptured]
    known = {f.ref: [g.made_at for g in rest if g.ref == f.ref and g.made_at] for f in rest}
    ages = {ref: min(times, default=_YOUNGEST) for ref, times in known.items()}
    end = {ref: max((f for f in rest if f.ref == ref), key=_refund_order).status for ref in ages}
    likely = [ref for ref in ages if end[ref] is RefundStatus.SUCCEEDED] or list(ages)
    return set(sorted(likely, key=lambda ref: (ages[ref], ref))[:1])
