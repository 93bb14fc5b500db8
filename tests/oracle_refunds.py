"""The refunds that a set of inputs means: the part of ``tests.oracle`` about refunds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.inputs import All, CallResult, Refund, RefundFact
from domain.status import RefundStatus, Status

_REFUND_ORDER = tuple(RefundStatus)
_REFUND_RETURNED = (RefundStatus.FAILED, RefundStatus.CANCELED)


@dataclass(frozen=True)
class RefundMeaning:
    """A refund's end state; ``reversed``: it succeeded, and the bank returned the money to us."""

    status: RefundStatus
    reversed: bool = False


GIVEN_BACK = RefundMeaning(RefundStatus.SUCCEEDED)


def refunds_meaning(
    payment_id: str,
    commands: Sequence[Refund],
    results: Sequence[CallResult],
    facts: Sequence[RefundFact],
    status: Status,
    *,
    uncaptured: int,
    captured: int,
    captured_by_us: bool,
) -> tuple[dict[str, RefundMeaning], int]:
    """Return each refund's end state by its public ID, and what was given back in all.

    Args:
        payment_id: the payment's ID.
        commands: the accepted refunds.
        results: every result of a call of the payment.
        facts: every fact about a refund of the payment's object, totals too.
        status: the payment's end state.
        uncaptured: what a capture left of the authorization, in minor units.
        captured: what it captured.
        captured_by_us: whether it was our own capture.
    """
    totals_seen = [f.amount for f in facts if f.is_total and f.may_be_release and f.amount]
    # a release would have been in every total
    is_impossible = captured_by_us or min(totals_seen, default=uncaptured) < uncaptured
    requested = {command.refund_id: command.amount for command in commands}
    refused = {result.call_key for result in results if result.refusal is not None}
    named = single(facts)
    proven = proven_refunds(payment_id, requested, named, results)
    let_go = released(
        payment_id, status, named, proven, uncaptured=uncaptured, is_impossible=is_impossible
    )
    is_shown = uncaptured == min(totals_seen, default=0) or captured < max(totals_seen, default=0)
    named = [fact for fact in named if fact.ref not in let_go]
    refunds = refund_meanings(payment_id, requested, proven, named, refused)
    amounts = {
        command.refund_id: command.amount if isinstance(command.amount, int) else 0
        for command in commands
        if f"{payment_id}:refund:{command.refund_id}" not in refused
    }
    totals = totals_meaning(
        payment_id,
        facts if status is Status.SUCCEEDED else (),
        named,
        amounts,
        {proven[fact.ref] for fact in named if fact.ref in proven},
        uncaptured if not is_impossible and (let_go or is_shown) else 0,
    )
    refunds |= dict.fromkeys(totals.ours, GIVEN_BACK)
    if totals.unnamed:
        refunds[totals.unnamed_id] = GIVEN_BACK
    in_totals = totals.unnamed + sum(amounts[refund_id] for refund_id in totals.ours)
    return refunds, refunded_amount(named) + in_totals


def _refund_order(fact: RefundFact) -> tuple[int, datetime, int, str]:
    if fact.status in _REFUND_RETURNED:
        strength = 2
    else:
        strength = 1 if fact.status is RefundStatus.SUCCEEDED else 0
    return strength, fact.occurred_at, _REFUND_ORDER.index(fact.status), fact.event_id


def proven_refunds(
    payment_id: str,
    requested: Mapping[str, int | All],
    facts: Collection[RefundFact],
    results: Iterable[CallResult],
) -> dict[str, str]:
    """Return our refund's ID by the provider's refund, where that is proven.

    The response to our own call is the first proof, the key of our call in an event the second, if
    the refund is of the amount that we asked for. A refund's metadata proves nothing, because
    anybody can write it.
    """
    proven: dict[str, str] = {}
    for result in results:
        match result.call_key.split(":"):
            case [owner, "refund", refund_id] if owner == payment_id and result.object_id:
                proven[result.object_id] = refund_id
    for ref in sorted({fact.ref for fact in facts}):
        own = [fact for fact in facts if fact.ref == ref]
        refund_id = min(filter(None, (_echoed_by(payment_id, fact) for fact in own)), default="")
        is_asked_for = requested.get(refund_id) in {own[0].amount, "all"}
        if ref not in proven and is_asked_for and refund_id not in proven.values():
            proven[ref] = refund_id
    return proven


def _echoed_by(payment_id: str, fact: RefundFact) -> str:
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
    named: Collection[str],
    let_go: int,
) -> Totals:
    """Return what the totals mean.

    Args:
        payment_id: the payment's ID.
        facts: all facts about refunds.
        given_back: the facts about single refunds that are real ones.
        requested: the amounts of our own refunds that were not refused.
        named: those of them that are proven to be a reported refund.
        let_go: the amount that somebody else's capture of a part let go.
    """
    totals = [fact for fact in facts if fact.is_total]
    if not totals:
        return Totals()
    last = max(
        totals, key=lambda fact: (fact.amount > 0, fact.occurred_at, fact.amount, fact.event_id)
    )
    ours = {_echoed_by(payment_id, fact) for fact in totals} & set(requested) - set(named)
    known = sum(requested[refund_id] for refund_id in ours)
    for ref in {fact.ref for fact in given_back}:
        own = [fact for fact in given_back if fact.ref == ref]
        end = max(own, key=_refund_order)
        was_made = min([f.made_at for f in own if f.made_at] or [f.occurred_at for f in own])
        is_back = end.status in _REFUND_RETURNED and end.occurred_at < last.occurred_at
        if was_made <= last.occurred_at and not is_back:
            known += own[0].amount
    rest = last.amount - known - (let_go if last.may_be_release else 0)
    return Totals(frozenset(ours), last.refund_id, max(0, rest))


def refunded_amount(facts: Collection[RefundFact]) -> int:
    """Return the refunded amount: the sum of the refunds that succeeded and were not returned."""
    strongest = [
        max((fact for fact in facts if fact.ref == ref), key=_refund_order)
        for ref in {fact.ref for fact in facts}
    ]
    return sum(fact.amount for fact in strongest if fact.status is RefundStatus.SUCCEEDED)


def released(
    payment_id: str,
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
        if not fact.may_be_release or _echoed_by(payment_id, fact) or fact.ref in proven:
            refs.discard(fact.ref)
    if status is not Status.SUCCEEDED:
        return refs
    if uncaptured == 0 or is_impossible:
        return set()
    refs -= {fact.ref for fact in facts if fact.status in _REFUND_RETURNED}
    rest = [f for f in facts if f.ref in refs and f.amount == uncaptured]
    ages = {f.ref: min(g.made_at for g in rest if g.ref == f.ref and g.made_at) for f in rest}
    end = {ref: max((f for f in rest if f.ref == ref), key=_refund_order).status for ref in ages}
    likely = [ref for ref in ages if end[ref] is RefundStatus.SUCCEEDED] or list(ages)
    return set(sorted(likely, key=lambda ref: (ages[ref], ref))[:1])
