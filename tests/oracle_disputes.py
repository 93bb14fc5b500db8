"""What disputes hold of the captured money: the part of ``tests.oracle`` about refundable money."""

from collections.abc import Collection, Iterable

from domain.inputs import Create, DisputeFact, Input, Movement
from domain.status import DisputeStatus
from tests.oracle import last_dispute_fact


def held_by_disputes(taken_in: Iterable[Input], captured: int) -> int:
    """Return the captured minor units that can't be refunded because of disputes.

    What left in the payment's currency is held as far as it did not come back. If any left in
    another one, the whole dispute is held, or all that was captured where the dispute is in another
    currency: until the dispute is won and as many withdrawals as there were have been returned, or
    nothing is missing any more.
    """
    bodies = [entry.body for entry in taken_in]
    (currency,) = {body.currency for body in bodies if isinstance(body, Create)}
    facts = [body for body in bodies if isinstance(body, DisputeFact)]
    held = 0
    for dispute_id in {fact.dispute_id for fact in facts}:
        own = [fact for fact in facts if fact.dispute_id == dispute_id]
        last = last_dispute_fact(own)
        moved = {movement.ref: movement for fact in own for movement in fact.movements}.values()
        held += max(0, sum(m.amount for m in moved if m.currency == currency))
        if _is_out([m for m in moved if m.currency != currency], last.status):
            held += last.amount if last.currency == currency else captured
    return min(held, captured)


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
