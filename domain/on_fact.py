"""Applies a provider's fact: adds it to the known ones, from which the payment is derived."""

from datetime import datetime

from msgspec.structs import replace

from domain.call_key import CallKey
from domain.decision import Decision, changed, unchanged
from domain.facts import join
from domain.facts.binding import UNCONFIRMED, awaits_object, is_proof
from domain.facts.refunds import (
    find_reported,
    proven_refunds,
    refund_id_in_key,
    with_reported,
)
from domain.inputs import DisputeFact, PaymentFact, RefundFact
from domain.money import format_amount
from domain.payment import Dispute, Payment, ProviderRefund
from domain.status import Outcome, ProviderStatus
from domain.view import live_fact

AnyFact = PaymentFact | RefundFact | DisputeFact


def _describe(fact: AnyFact) -> str:
    """The fact as reasons name it: status, time at the provider, event ID."""
    return f"{fact.status} at {fact.occurred_at.isoformat()} ({fact.event_id})"


def _format(payment: Payment, amount: int) -> str:
    return format_amount(amount, payment.currency)


def _contradiction(payment: Payment, fact: AnyFact) -> str | None:
    """Why the fact cannot be about this payment; None where it can."""
    if payment.create_refusal is not None:
        return (
            f"the event reports {_describe(fact)}, but the provider refused to create this payment"
        )
    if payment.object_id is not None and fact.object_id != payment.object_id:
        return (
            f"the event is about object {fact.object_id}, "
            f"but this payment's object is {payment.object_id}"
        )
    if fact.currency != payment.currency:
        return f"the event is in {fact.currency}, but the payment is in {payment.currency}"
    whole = _format(payment, payment.amount)
    if isinstance(fact, PaymentFact) and fact.amount != payment.amount:
        return f"the event is about {_format(payment, fact.amount)}, but the payment is {whole}"
    if isinstance(fact, RefundFact) and fact.amount > payment.amount:
        return f"the refund of {_format(payment, fact.amount)} exceeds the payment of {whole}"
    return None


def _terminal_contradiction(payment: Payment, fact: PaymentFact) -> str | None:
    """How a terminal fact contradicts the known one; None where it does not.

    A provider can't both capture and cancel a payment, nor capture two amounts.
    """
    known = join.terminal(payment.facts)
    if known is None or fact.status not in join.TERMINAL:
        return None
    same = (known.status, known.captured, known.cancel_cause)
    if (fact.status, fact.captured, fact.cancel_cause) == same:
        return None
    amount = (
        f" of {_format(payment, fact.captured)}" if fact.status is ProviderStatus.SUCCEEDED else ""
    )
    return f"the event reports {fact.status}{amount}, but {_describe(known)} is final"


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


def _conflict(payment: Payment, reason: str) -> Decision:
    return unchanged(payment, Outcome.CONFLICT, reason)


def on_payment_fact(payment: Payment, fact: PaymentFact, at: datetime) -> Decision:
    """Applies a fact about the provider's payment object."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    wrong = _terminal_contradiction(payment, fact)
    if wrong is not None:
        return _conflict(payment, wrong)
    key = CallKey.parse(fact.caused_by)
    if key is None or key.payment_id != payment.id:
        fact = replace(fact, caused_by=None)  # another payment's call is no attempt of this one
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
    wrong = _refund_contradiction(payment, fact)
    if wrong is not None:
        return _conflict(payment, wrong)
    known = find_reported(payment, fact.ref)
    facts = join.add_refund_fact(known.facts if known is not None else (), fact)
    key_refund_ids = (
        known.key_refund_id if known is not None else None,
        refund_id_in_key(payment.id, fact.caused_by),
    )
    key_refund_id = min((each for each in key_refund_ids if each is not None), default=None)
    claims = {*(known.claims if known is not None else ()), fact.claims}
    made = ProviderRefund(
        ref=fact.ref,
        id=fact.refund_id,
        amount=fact.amount,
        facts=facts,
        key_refund_id=key_refund_id,
        claims=tuple(sorted(filter(None, claims))),
    )
    if made == known:
        (kept,) = (f for f in facts if f.status is fact.status)
        name = _public_id(payment, made)
        return unchanged(payment, Outcome.STALE, f"refund {name}: {_superseded(fact, kept)}")
    reported = with_reported(payment, made)
    after = replace(payment, provider_refunds=reported, object_id=fact.object_id)
    name = _public_id(after, made)
    decision = changed(payment, after, at, f"refund {name} is {fact.status}")
    strongest = facts[-1]
    if decision.payment is not None and decision.payment.version == payment.version:
        reason = f"refund {name}: {_superseded(fact, strongest)}"
        if strongest.event_id != fact.event_id:
            return replace(decision, outcome=Outcome.STALE, reason=reason)
    return decision


def _public_id(payment: Payment, made: ProviderRefund) -> str:
    """The refund's published ID: our own one, once the refund is proven to be ours."""
    ours = {ref: refund_id for refund_id, ref in proven_refunds(payment).items()}
    return ours.get(made.ref, made.id)


def _refund_contradiction(payment: Payment, fact: RefundFact) -> str | None:
    """How the fact's amount contradicts the known or the requested one; None where it does not."""
    amount = _format(payment, fact.amount)
    known = find_reported(payment, fact.ref)
    if known is not None and fact.amount != known.amount:
        return f"the event is about {amount}, but the refund is {_format(payment, known.amount)}"
    key_refund_id = refund_id_in_key(payment.id, fact.caused_by)
    for refund in payment.refunds:
        ours = refund.provider_ref == fact.ref or refund.id == key_refund_id
        if ours and fact.amount != refund.amount:
            requested = _format(payment, refund.amount)
            return f"the event is about {amount}, but the requested refund is {requested}"
    return None


def on_dispute_fact(payment: Payment, fact: DisputeFact, at: datetime) -> Decision:
    """Applies a fact about a dispute: its status, and the money that moved."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    known = next((d for d in payment.disputes if d.id == fact.dispute_id), None)
    moved = join.add_movements(known.movements if known else (), fact.movements)
    later = known is None or join.dispute_order(fact) > join.dispute_order(known.fact)
    dispute = Dispute(fact.dispute_id, fact if later or known is None else known.fact, moved)
    if dispute == known:
        reason = f"dispute {dispute.id}: {_superseded(fact, dispute.fact)}"
        return unchanged(payment, Outcome.STALE, reason)
    others = (d for d in payment.disputes if d.id != dispute.id)
    disputes = tuple(sorted((*others, dispute), key=lambda d: d.id))
    after = replace(payment, disputes=disputes, object_id=fact.object_id)
    return changed(payment, after, at, f"dispute {dispute.id} is {fact.status}")
