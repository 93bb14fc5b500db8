"""What a provider's fact does: it joins the known ones; the payment is what all say together."""

from datetime import datetime

from msgspec.structs import replace

from domain.call_key import CallKey
from domain.decision import Decision, changed, unchanged
from domain.facts import join
from domain.facts.binding import UNCONFIRMED, awaits_object, is_proof
from domain.facts.refunds import bound, echoed
from domain.inputs import DisputeFact, PaymentFact, RefundFact
from domain.money import shown
from domain.payment import Dispute, Payment, ProviderRefund
from domain.status import Outcome, ProviderStatus
from domain.view import live_fact

AnyFact = PaymentFact | RefundFact | DisputeFact


def _described(fact: AnyFact) -> str:
    """A fact as a person names it in a reason."""
    return f"{fact.status} at {fact.occurred_at.isoformat()} ({fact.event_id})"


def _shown(payment: Payment, amount: int) -> str:
    return shown(amount, payment.currency)


def _contradiction(payment: Payment, fact: AnyFact) -> str | None:
    """Why this fact cannot be about this payment, if it cannot."""
    if payment.create_refusal is not None:
        return f"says {_described(fact)}, but the provider had refused to create this payment"
    if payment.object_id is not None and fact.object_id != payment.object_id:
        return f"names {fact.object_id}, but this payment's object is {payment.object_id}"
    if fact.currency != payment.currency:
        return f"is in {fact.currency}, but the payment in {payment.currency}"
    whole = _shown(payment, payment.amount)
    if isinstance(fact, PaymentFact) and fact.amount != payment.amount:
        return f"is of {_shown(payment, fact.amount)}, but the payment of {whole}"
    if isinstance(fact, RefundFact) and fact.amount > payment.amount:
        return f"is of {_shown(payment, fact.amount)}, more than the payment of {whole}"
    return None


def _terminal_contradiction(payment: Payment, fact: PaymentFact) -> str | None:
    """Two terminal facts must agree; the provider can't have both captured and cancelled."""
    known = join.terminal(payment.facts)
    if known is None or fact.status not in join.TERMINAL:
        return None
    same = (known.status, known.captured, known.cancel_cause)
    if (fact.status, fact.captured, fact.cancel_cause) == same:
        return None
    amount = (
        f" of {_shown(payment, fact.captured)}" if fact.status is ProviderStatus.SUCCEEDED else ""
    )
    return f"says {fact.status}{amount}, but {_described(known)} is known and final"


def _refused_or_waiting(payment: Payment, fact: AnyFact) -> Decision | None:
    """Why a fact is not taken in now, if it is not: not about this payment, or not provably so."""
    wrong = _contradiction(payment, fact)
    if wrong is not None:
        return Decision(Outcome.CONFLICT, wrong, payment, refused=True)
    if awaits_object(payment) and not is_proof(payment.id, fact):
        urgent = str(CallKey.create(payment.id))
        return Decision(Outcome.PARKED, UNCONFIRMED, payment, urgent_call=urgent)
    return None


def _conflict(payment: Payment, reason: str) -> Decision:
    return unchanged(payment, Outcome.CONFLICT, reason)


def on_payment_fact(payment: Payment, fact: PaymentFact, at: datetime) -> Decision:
    """The provider told of its payment object."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    wrong = _terminal_contradiction(payment, fact)
    if wrong is not None:
        return _conflict(payment, wrong)
    key = CallKey.parse(fact.caused_by)
    if key is None or key.payment_id != payment.id:
        fact = replace(fact, caused_by=None)  # another payment's call is no attempt of this one
    known = join.kept_instead(payment.facts, fact)
    if known is not None:
        return unchanged(
            payment, Outcome.STALE, f"{_described(fact)} is not later than {_described(known)}"
        )
    after = replace(payment, facts=join.add(payment.facts, fact), object_id=fact.object_id)
    decision = changed(payment, after, at, f"the provider says {fact.status}")
    if decision.outcome is Outcome.APPLIED and decision.payment is not None:
        return _stale_where_overtaken(payment, decision, fact)
    return decision


def _stale_where_overtaken(before: Payment, decision: Decision, fact: PaymentFact) -> Decision:
    """A fact that changed nothing visible because a later one is known is stale, and says so."""
    after = decision.payment
    if after is None or after.version != before.version:
        return decision
    winner = join.terminal(after.facts) or live_fact(after) or max(after.facts, key=join.order)
    if winner.event_id == fact.event_id:
        return replace(decision, reason=f"confirms what is known: {_described(fact)}")
    reason = f"{_described(fact)} is overtaken by {_described(winner)}"
    return replace(decision, outcome=Outcome.STALE, reason=reason)


def on_refund_fact(payment: Payment, fact: RefundFact, at: datetime) -> Decision:
    """The provider told of a refund: ours, where that is proven, or one made without us."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    wrong = _refund_contradiction(payment, fact)
    if wrong is not None:
        return _conflict(payment, wrong)
    known = next((r for r in payment.provider_refunds if r.ref == fact.ref), None)
    facts = join.add_refund_fact(known.facts if known is not None else (), fact)
    told = (known.echoes if known is not None else None, echoed(payment.id, fact.caused_by))
    echoes = min((each for each in told if each is not None), default=None)
    claims = {*(known.claims if known is not None else ()), fact.claims}
    made = ProviderRefund(
        fact.ref, fact.refund_id, fact.amount, facts, echoes, tuple(sorted(filter(None, claims)))
    )
    if made == known:
        (kept,) = (f for f in facts if f.status is fact.status)
        name = _named(payment, made)
        reason = f"refund {name}: {_described(fact)} is not later than {_described(kept)}"
        return unchanged(payment, Outcome.STALE, reason)
    others = (r for r in payment.provider_refunds if r.ref != fact.ref)
    refunds = tuple(sorted((*others, made), key=lambda r: r.ref))
    after = replace(payment, provider_refunds=refunds, object_id=fact.object_id)
    name = _named(after, made)
    decision = changed(payment, after, at, f"refund {name} is {fact.status}")
    strongest = facts[-1]
    if decision.payment is not None and decision.payment.version == payment.version:
        reason = f"refund {name}: {_described(fact)} is overtaken by {_described(strongest)}"
        if strongest.event_id != fact.event_id:
            return replace(decision, outcome=Outcome.STALE, reason=reason)
    return decision


def _named(payment: Payment, made: ProviderRefund) -> str:
    """A refund of the provider's as a person knows it: by our ID, once it is proven to be ours."""
    ours = {ref: refund_id for refund_id, ref in bound(payment).items()}
    return ours.get(made.ref, made.id)


def _refund_contradiction(payment: Payment, fact: RefundFact) -> str | None:
    """A refund has one amount: the one told first, and where it is ours, the one we asked for."""
    said = _shown(payment, fact.amount)
    known = next((r for r in payment.provider_refunds if r.ref == fact.ref), None)
    if known is not None and fact.amount != known.amount:
        return f"is of {said}, but the refund of {_shown(payment, known.amount)}"
    echo = echoed(payment.id, fact.caused_by)
    for refund in payment.refunds:
        ours = refund.acknowledged == fact.ref or refund.id == echo
        if ours and fact.amount != refund.amount:
            return f"is of {said}, but we asked for {_shown(payment, refund.amount)}"
    return None


def on_dispute_fact(payment: Payment, fact: DisputeFact, at: datetime) -> Decision:
    """The provider told of a dispute: where it stands, and which money has moved."""
    decision = _refused_or_waiting(payment, fact)
    if decision is not None:
        return decision
    known = next((d for d in payment.disputes if d.id == fact.dispute_id), None)
    moved = join.add_movements(known.movements if known else (), fact.movements)
    later = known is None or join.dispute_order(fact) > join.dispute_order(known.fact)
    dispute = Dispute(fact.dispute_id, fact if later or known is None else known.fact, moved)
    if dispute == known:
        reason = (
            f"dispute {dispute.id}: {_described(fact)} is not later than {_described(dispute.fact)}"
        )
        return unchanged(payment, Outcome.STALE, reason)
    others = (d for d in payment.disputes if d.id != dispute.id)
    disputes = tuple(sorted((*others, dispute), key=lambda d: d.id))
    after = replace(payment, disputes=disputes, object_id=fact.object_id)
    return changed(payment, after, at, f"dispute {dispute.id} is {fact.status}")
