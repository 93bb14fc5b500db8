"""Disputes: their order, and what they hold. The part of ``tests.oracle`` about disputed money."""

from collections.abc import Collection, Iterable
from datetime import datetime

from domain.inputs import Create, DisputeFact, Input, Movement
from domain.status import DisputeStatus

_DISPUTE_DECIDED = (DisputeStatus.PREVENTED, DisputeStatus.LOST, DisputeStatus.WON)
#: Within one second: an inquiry in its order, a chargeback in its own, a decision, an appeal
#: against it, a win.
_DISPUTE_ORDER = (
    "WARNING_NEEDS_RESPONSE", "WARNING_UNDER_REVIEW", "WARNING_CLOSED",
    "NEEDS_RESPONSE", "UNDER_REVIEW", "PREVENTED", "LOST",
    "appeal NEEDS_RESPONSE", "appeal UNDER_REVIEW", "WON",
)  # fmt: skip


def last_dispute_fact(facts: Iterable[DisputeFact]) -> DisputeFact:
    """Return the fact that counts of these about one dispute."""
    return max(facts, key=_dispute_order)


def _dispute_order(fact: DisputeFact) -> tuple[int, datetime, int, str]:
    """Return the order: an inquiry, a chargeback, then decisions and appeals, each by time."""
    stage = 1
    if fact.status.startswith("WARNING"):
        stage = 0
    elif fact.status in _DISPUTE_DECIDED or fact.appeal:
        stage = 2
    name = f"appeal {fact.status}" if fact.appeal else str(fact.status)
    return stage, fact.occurred_at, _DISPUTE_ORDER.index(name), fact.event_id


def held_by_disputes(taken_in: Iterable[Input], captured: int) -> int:
    """Return the captured minor units that can't be refunded because of disputes.

    What left in the payment's currency is held as far as it did not come back. If any left in
    another one, the whole dispute is held, or all that was captured where the dispute is in another
    currency: until the dispute is won and as many withdrawals as there were have been returned, or
    nothing is missing any more.
    """
    return held([entry.body for entry in taken_in], captured)


def held(bodies: Collection[object], captured: int) -> int:
    """Return the same for inputs without their event IDs."""
    (currency,) = {body.currency for body in bodies if isinstance(body, Create)}
    facts = [body for body in bodies if isinstance(body, DisputeFact)]
    total = 0
    for dispute_id in {fact.dispute_id for fact in facts}:
        own = [fact for fact in facts if fact.dispute_id == dispute_id]
        last = last_dispute_fact(own)
        moved = {movement.ref: movement for fact in own for movement in fact.movements}.values()
        total += max(0, sum(m.amount for m in moved if m.currency == currency))
        if _is_out([m for m in moved if m.currency != currency], last.status):
            total += last.amount if last.currency == currency else captured
    return min(total, captured)


def _is_out(moved: Collection[Movement], status: DisputeStatus) -> bool:
    """Return whether disputed money in these movements, of other currencies, is still away."""
    names = [str(movement.kind) for movement in moved]
    if "withdrawn" not in names:
        return False
    if names.count("reinstated") < names.count("withdrawn"):
        return True
    missing = [
        sum(m.amount for m in moved if m.currency == currency)
        for currency in {movement.currency for movement in moved}
    ]
    return status is not DisputeStatus.WON and max(missing) > 0
