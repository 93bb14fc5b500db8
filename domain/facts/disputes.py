"""Disputes and fraud warnings: how their facts combine, and what they publish.

Both stand beside the payment and never change its status. Every function of facts is a join: any
order and repetition gives the same result.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from domain.inputs import DisputeFact, FraudWarningFact, Movement
from domain.payment import Dispute, Payment
from domain.status import DisputeStatus, MovementKind

_INQUIRY: Final = frozenset(
    {
        DisputeStatus.WARNING_NEEDS_RESPONSE,
        DisputeStatus.WARNING_UNDER_REVIEW,
        DisputeStatus.WARNING_CLOSED,
    }
)
DECIDED: Final = frozenset({DisputeStatus.PREVENTED, DisputeStatus.LOST, DisputeStatus.WON})
NEEDS_RESPONSE: Final = frozenset(
    {DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.NEEDS_RESPONSE}
)

#: The order within one second and stage. An appeal follows a decision, and a win can be the last
#: word: "lost" and "an appeal is possible" may be reported in one second.
_RANK: Final = (
    (DisputeStatus.WARNING_NEEDS_RESPONSE, False),
    (DisputeStatus.WARNING_UNDER_REVIEW, False),
    (DisputeStatus.WARNING_CLOSED, False),
    (DisputeStatus.NEEDS_RESPONSE, False),
    (DisputeStatus.UNDER_REVIEW, False),
    (DisputeStatus.PREVENTED, False),
    (DisputeStatus.LOST, False),
    (DisputeStatus.NEEDS_RESPONSE, True),
    (DisputeStatus.UNDER_REVIEW, True),
    (DisputeStatus.WON, False),
)
_PLACE: Final = {each: place for place, each in enumerate(_RANK)}


def _stage(fact: DisputeFact) -> int:
    """How far the dispute has come: an inquiry, a formal dispute, its decision and what follows.

    An inquiry, also a closed one, becomes a formal dispute, which is then decided. Neither goes
    back. Decisions and appeals follow each other, so among them time decides.
    """
    if fact.status in _INQUIRY:
        return 0
    return 2 if fact.status in DECIDED or fact.appeal else 1


def order(fact: DisputeFact) -> tuple[int, datetime, int, str]:
    """The sort key of a dispute's facts: the greatest one determines the dispute."""
    # a provider could call an appeal by a status that has none: it ranks as if it were none
    place = _PLACE.get((fact.status, fact.appeal), _PLACE[fact.status, False])
    return _stage(fact), fact.occurred_at, place, fact.event_id


def add_movements(known: Iterable[Movement], new: Iterable[Movement]) -> tuple[Movement, ...]:
    """The union of both by the provider's reference: a movement reported twice counts once."""
    by_ref = {m.ref: m for m in sorted((*known, *new), key=_by_content)}
    return tuple(by_ref[ref] for ref in sorted(by_ref))


def _by_content(movement: Movement) -> tuple[str, str, int, str]:
    return movement.ref, movement.currency, movement.amount, movement.kind


def with_fact(known: Dispute | None, fact: DisputeFact) -> Dispute:
    """The dispute with one more fact about it."""
    if known is None:
        return Dispute(fact.dispute_id, fact, add_movements((), fact.movements))
    latest = max(known.fact, fact, key=order)
    return Dispute(known.id, latest, add_movements(known.movements, fact.movements))


def latest_warning(known: FraudWarningFact | None, fact: FraudWarningFact) -> FraudWarningFact:
    """The later of two facts about one warning; in one second, that nothing is to be done."""
    if known is None:
        return fact
    return max(known, fact, key=lambda f: (f.occurred_at, not f.actionable, f.event_id))


class Funds(Struct, frozen=True, kw_only=True):
    """The disputed money that moved in one currency, in its minor units.

    A balance grew by ``reinstated + adjusted - withdrawn``. Fees are not part of it.
    """

    currency: str
    withdrawn: int
    reinstated: int
    #: Corrections, such as of an exchange rate: positive if given to us, negative if taken.
    adjusted: int


class DisputeView(Struct, frozen=True, kw_only=True):
    """One dispute, as published."""

    id: str
    status: DisputeStatus
    amount: int
    currency: str
    reason: str | None
    #: The response that is needed or under review is an appeal against a decision.
    appeal: bool
    #: Until when a response is possible; None unless one is needed.
    respond_by: datetime | None
    #: By currency, in order of its code.
    funds: tuple[Funds, ...]


class FraudWarningView(Struct, frozen=True, kw_only=True):
    """One fraud warning, as published."""

    id: str
    type: str
    #: A refund may still prevent a dispute.
    actionable: bool


def view_of(dispute: Dispute) -> DisputeView:
    """The dispute as it is published."""
    fact = dispute.fact
    return DisputeView(
        id=dispute.id,
        status=fact.status,
        amount=fact.amount,
        currency=fact.currency,
        reason=fact.reason,
        appeal=fact.appeal,
        respond_by=fact.respond_by if fact.status in NEEDS_RESPONSE else None,
        funds=funds(dispute),
    )


def warning_view(fact: FraudWarningFact) -> FraudWarningView:
    """The fraud warning as it is published."""
    return FraudWarningView(id=fact.warning_id, type=fact.type, actionable=fact.actionable)


def funds(dispute: Dispute) -> tuple[Funds, ...]:
    """What moved, by currency."""
    moved: dict[str, dict[MovementKind, int]] = defaultdict(lambda: defaultdict(int))
    for movement in dispute.movements:
        moved[movement.currency][movement.kind] += movement.amount
    return tuple(
        Funds(
            currency=currency,
            withdrawn=sums[MovementKind.WITHDRAWN],
            reinstated=-sums[MovementKind.REINSTATED],
            adjusted=-sums[MovementKind.ADJUSTED],
        )
        for currency, sums in sorted(moved.items())
    )


def withdrawn_amount(payment: Payment, captured: int) -> int:
    """The captured money that disputes hold, in the payment's currency; at most ``captured``.

    Money that moved in the payment's currency is known exactly. Of a dispute whose money moved in
    another one, all that it is about counts as withdrawn until all of it is back: what a part is in
    the payment's currency, nobody reports. So too little may be refunded, never too much.
    """
    return min(captured, sum(_held(payment, each, captured) for each in payment.disputes))


def _held(payment: Payment, dispute: Dispute, captured: int) -> int:
    own = sum(m.amount for m in dispute.movements if m.currency == payment.currency)
    others = [m for m in dispute.movements if m.currency != payment.currency]
    if _is_back(dispute.fact.status, others):
        return max(0, own)
    is_comparable = dispute.fact.currency == payment.currency
    return max(0, own) + (dispute.fact.amount if is_comparable else captured)


def _is_back(status: DisputeStatus, moved: Sequence[Movement]) -> bool:
    """Whether all that was withdrawn is ours again.

    A dispute that is won gives back everything, at the exchange rate of that day. One that is lost
    may give back a part: that which had been refunded before.
    """
    kinds = [m.kind for m in moved]
    taken, given = kinds.count(MovementKind.WITHDRAWN), kinds.count(MovementKind.REINSTATED)
    if taken == 0 or taken > given:
        return taken == 0
    balances: dict[str, int] = defaultdict(int)
    for movement in moved:
        balances[movement.currency] += movement.amount
    return status is DisputeStatus.WON or all(missing <= 0 for missing in balances.values())
