"""Applies a provider's fact: adds it to the known ones, from which the payment is derived."""

from datetime import datetime

from msgspec.structs import replace

from domain.call_key import CallKey
from domain.decision import Decision, changed, unchanged
from domain.facts import cancels, disputes, join, refund_totals
from domain.facts.binding import UNCONFIRMED, awaits_object, is_proof, without_foreign_key
from domain.facts.refunds import (
    find_reported,
    is_release,
    kept_refund_ids,
    proven_refunds,
    refund_id_in_key,
    with_reported,
)
from domain.inputs import DisputeFact, FraudWarningFact, PaymentFact, RefundFact
from domain.money import format_amount
from domain.payment import Payment, ProviderRefund
from domain.status import CancelCause, Outcome, ProviderStatus
from domain.view import live_fact

AnyFact = PaymentFact | RefundFact | DisputeFact | FraudWarningFact


def on_fact(payment: Payment, fact: AnyFact, at: datetime) -> Decision:
    """Applies a fact about the payment's object, or about what stands beside it."""
    match fact:
        case PaymentFact():
            return on_payment_fact(payment, fact, at)
        case RefundFact():
            return on_refund_fact(payment, fact, at)
        case DisputeFact():
            return on_dispute_fact(payment, fact, at)
        case _:
            return on_fraud_warning(payment, fact, at)


def _describe(fact: AnyFact) -> str:
    """The fact as reasons name it: status, time at the provider, event ID."""
    return f"{_state(fact)} at {fact.occurred_at.isoformat()} ({fact.event_id})"


def _format(payment: Payment, amount: int) -> str:
    return format_amount(amount, payment.currency)


def _contradiction(payment: Payment, fact: AnyFact) -> str | None:
    """Why the fact cannot be about this payment; None where it can.

    No amount is a contradiction: others may authorize, capture and so refund more at the provider
    than was asked for, and a refund may be reported before that.
    """
    if payment.create_refusal is not None:
        return (
            f"the event reports {_describe(fact)}, but the provider refused to create this payment"
        )
    other = other_object(payment, fact.object_id)
    if other is not None:
        return other
    # a bank may dispute in another currency, and a warning has none
    if isinstance(fact, PaymentFact | RefundFact) and fact.currency != payment.currency:
        return f"the event is in {fact.currency}, but the payment is in {payment.currency}"
    return None


def other_object(payment: Payment, object_id: str) -> str | None:
    """Why the provider's object is certainly not this payment's; None where it may be."""
    if payment.object_id in {None, object_id}:
        return None
    return (
        f"the event is about object {object_id}, but this payment's object is {payment.object_id}"
    )


def _terminal_contradiction(payment: Payment, fact: PaymentFact) -> str | None:
    """How a terminal fact contradicts the known one; None where it does not.

    A provider can't both capture and cancel a payment, nor capture two amounts.
    """
    known = join.terminal(payment.facts)
    if known is None or fact.status not in join.TERMINAL:
        return None
    is_same = (fact.status, fact.captured) == (known.status, known.captured)
    if is_same and (fact.status is not ProviderStatus.CANCELED or _is_same_cause(payment, fact)):
        return None
    amount = (
        f" of {_format(payment, fact.captured)}" if fact.status is ProviderStatus.SUCCEEDED else ""
    )
    return f"the event reports {fact.status}{amount}, but {_describe(known)} is final"


def _is_same_cause(payment: Payment, fact: PaymentFact) -> bool:
    """Whether a report of the cancel has the known cause, as far as both say one."""
    cause, known = cancels.cause_of(fact), cancels.known_cause(payment)
    if cause is None or cause is known:
        return True
    by_us = cause is CancelCause.ATTEMPTS_EXHAUSTED
    return known is None and by_us is cancels.ended_by_last_cancel(payment)


def _refused_or_waiting(payment: Payment, fact: AnyFact) -> Decision | None:
    """The decision on a fact that is not, or not provably, about this payment; otherwise None."""
    wrong = _contradiction(payment, fact)
    if wrong is not None:
        return Decision(outcome=Outcome.CONFLICT, reason=wrong, payment=payment, refused=True)
    if awaits_object(payment) and not is_proof(payment.id, fact):
        urgent = str(CallKey.create(payment.id))
        return Decision(
            outcome=Outcome.PARKED, reason=UNCONFIRMED, payment=payment, urgent_call=urgent
        )
    return None


def _is_unexplained(payment: Payment, fact: PaymentFact) -> bool:
    """Whether only the answer to our own cancel can tell who cancelled the object."""
    return (
        fact.status is ProviderStatus.CANCELED
        and cancels.cause_of(fact) is None
        and cancels.awaits_answer(payment)
    )


def _conflict(payment: Payment, reason: str) -> Decision:
    return unchanged(payment, Outcome.CONFLICT, reason)


def on_payment_fact(payment: Payment, fact: PaymentFact, at: datetime) -> Decision:
    """Applies a fact about the provider's payment object."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    fact = without_foreign_key(payment, fact)
    if _is_unexplained(payment, fact):
        urgent = str(CallKey.cancel_exhausted(payment.id))
        return Decision(
            outcome=Outcome.PARKED,
            reason=cancels.UNEXPLAINED,
            payment=payment,
            urgent_call=urgent,
        )
    wrong = _terminal_contradiction(payment, fact)
    if wrong is not None:
        return _conflict(payment, wrong)
    known = join.superseding(payment.facts, fact)
    if known is not None:
        return unchanged(payment, Outcome.STALE, _superseded(fact, known))
    after = replace(payment, facts=join.add(payment.facts, fact), object_id=fact.object_id)
    decision = changed(payment, after, at, f"the provider reports {fact.status}")
    if decision.outcome is Outcome.APPLIED and decision.payment is not None:
        return _stale_where_superseded(payment, decision, fact)
    return decision


def _stale_where_superseded(before: Payment, decision: Decision, fact: PaymentFact) -> Decision:
    """The decision, made stale where a newer known fact left the published payment unchanged."""
    after = decision.payment
    if after is None or after.version != before.version:
        return decision
    winner = join.terminal(after.facts) or live_fact(after) or max(after.facts, key=join.order)
    if winner.event_id == fact.event_id:
        return replace(decision, reason=f"{_describe(fact)} confirms the current state")
    return replace(decision, outcome=Outcome.STALE, reason=_superseded(fact, winner))


def _superseded(fact: AnyFact, newer: AnyFact) -> str:
    return f"{_describe(fact)} is superseded by {_describe(newer)}"


def on_refund_fact(payment: Payment, fact: RefundFact, at: datetime) -> Decision:
    """Applies a fact about a refund: one that we requested, or one made at the provider."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    wrong = next((why for f in _single(fact) if (why := _refund_contradiction(payment, f))), None)
    if wrong is not None:
        return _conflict(payment, wrong)
    if fact.is_total:
        return _on_total(payment, fact, at)
    known = find_reported(payment, fact.ref)
    made = _merged(payment, fact)
    if made == known:
        (kept,) = (f for f in made.facts if f.status is fact.status)
        name = _public_id(payment, made)
        return unchanged(payment, Outcome.STALE, f"refund {name}: {_superseded(fact, kept)}")
    reported = with_reported(payment, made)
    after = replace(payment, provider_refunds=reported, object_id=fact.object_id)
    name = _public_id(after, made)
    what = f"refund {name} is {fact.status}"
    if is_release(after, made.ref):
        what = f"refund {name} is no refund, as far as known: an authorization was released"
    decision = changed(payment, after, at, what)
    strongest = made.facts[-1]
    if decision.payment is not None and decision.payment.version == payment.version:
        reason = f"refund {name}: {_superseded(fact, strongest)}"
        if strongest.event_id != fact.event_id:
            return replace(decision, outcome=Outcome.STALE, reason=reason)
    return decision


def _single(fact: RefundFact) -> tuple[RefundFact, ...]:
    """The facts that are each about one refund."""
    return fact.listed if fact.is_total else (fact,)


def _on_total(payment: Payment, fact: RefundFact, at: datetime) -> Decision:
    """Applies a report of what was given back in all, and of the refunds that it names."""
    after = payment
    for each in fact.listed:
        after = replace(after, provider_refunds=with_reported(after, _merged(after, each)))
    refund_id = refund_id_in_key(payment.id, fact.caused_by)
    echoes = payment.echoed_refunds | ({refund_id} if refund_id is not None else set())
    echoes = frozenset(kept_refund_ids(payment, echoes))
    total = refund_totals.latest(payment.refund_total, replace(fact, listed=()))
    after = replace(after, refund_total=total, echoed_refunds=echoes, object_id=fact.object_id)
    spans = refund_totals.range_with(payment, fact)
    after = replace(after, refund_total_range=spans)
    if after == payment:
        return unchanged(payment, Outcome.STALE, _superseded(fact, total))
    what = f"{_format(payment, fact.amount)} were given back or released in all"
    return changed(payment, after, at, what)


def _merged(payment: Payment, fact: RefundFact) -> ProviderRefund:
    """What is known of the fact's refund, with this fact."""
    known = find_reported(payment, fact.ref)
    in_key = refund_id_in_key(payment.id, fact.caused_by)
    key_refund_ids = kept_refund_ids(
        payment, {*(known.key_refund_ids if known is not None else ()), *filter(None, [in_key])}
    )
    claims = {*(known.claims if known is not None else ()), *filter(None, [fact.claims])}
    return ProviderRefund(
        ref=fact.ref,
        id=fact.refund_id,
        amount=fact.amount,
        facts=join.add_refund_fact(known.facts if known is not None else (), fact),
        key_refund_id=key_refund_ids[0] if key_refund_ids else None,
        other_key_refund_ids=tuple(key_refund_ids[1:]),
        claims=tuple(kept_refund_ids(payment, claims)),
        made_at=_earliest(known.made_at if known is not None else None, fact.made_at),
        may_be_release=fact.may_be_release and (known is None or known.may_be_release),
    )


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _public_id(payment: Payment, made: ProviderRefund) -> str:
    """The refund's published ID: our own one, once the refund is proven to be ours."""
    ours = {ref: refund_id for refund_id, ref in proven_refunds(payment).items()}
    return ours.get(made.ref, made.id)


def _refund_contradiction(payment: Payment, fact: RefundFact) -> str | None:
    """How the fact's amount contradicts the known or the requested one; None where it does not.

    A key is no contradiction: a refund of another amount is not the one that our call asked for.
    """
    amount = _format(payment, fact.amount)
    known = find_reported(payment, fact.ref)
    if known is not None and fact.amount != known.amount:
        return f"the event is about {amount}, but the refund is {_format(payment, known.amount)}"
    for refund in payment.refunds:
        if refund.provider_ref == fact.ref and fact.amount != refund.amount:
            requested = _format(payment, refund.amount)
            return f"the event is about {amount}, but the requested refund is {requested}"
    return None


def on_dispute_fact(payment: Payment, fact: DisputeFact, at: datetime) -> Decision:
    """Applies a fact about a dispute: its status, and the money that moved."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    known = next((d for d in payment.disputes if d.id == fact.dispute_id), None)
    dispute = disputes.with_fact(known, fact)
    if dispute == known:
        reason = f"dispute {dispute.id}: {_superseded(fact, dispute.fact)}"
        return unchanged(payment, Outcome.STALE, reason)
    others = (d for d in payment.disputes if d.id != dispute.id)
    kept = tuple(sorted((*others, dispute), key=lambda d: d.id))
    after = replace(payment, disputes=kept, object_id=fact.object_id)
    return changed(payment, after, at, f"dispute {dispute.id} is {fact.status}")


def on_fraud_warning(payment: Payment, fact: FraudWarningFact, at: datetime) -> Decision:
    """Applies a fact about a bank's fraud warning."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    known = next((w for w in payment.fraud_warnings if w.warning_id == fact.warning_id), None)
    latest = disputes.latest_warning(known, fact)
    if known is not None and latest == known:
        reason = f"fraud warning {known.warning_id}: {_superseded(fact, known)}"
        return unchanged(payment, Outcome.STALE, reason)
    others = (w for w in payment.fraud_warnings if w.warning_id != fact.warning_id)
    kept = tuple(sorted((*others, latest), key=lambda w: w.warning_id))
    after = replace(payment, fraud_warnings=kept, object_id=fact.object_id)
    return changed(payment, after, at, f"fraud warning {fact.warning_id} is {_state(fact)}")


def _state(fact: AnyFact) -> str:
    """The word for what a fact reports, as reasons name it."""
    if isinstance(fact, FraudWarningFact):
        return "actionable" if fact.actionable else "not actionable"
    return str(fact.status)
