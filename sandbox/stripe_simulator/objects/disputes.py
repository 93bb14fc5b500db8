"""Disputes: opened by a cardholder, updated and closed by the bank, read through the API.

Source: https://docs.stripe.com/api/disputes and https://docs.stripe.com/disputes/how-disputes-work
"""

from sandbox.stripe_simulator.errors import StateError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import objects
from sandbox.stripe_simulator.objects.attempts import card_of
from sandbox.stripe_simulator.objects.payment_methods import DisputeCourse
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

CLOSED = ("won", "lost", "warning_closed", "prevented")
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
_FRAUDULENT = DisputeCourse("fraudulent", "needs_response", "10.4")


def retrieve(world: World, call: Call) -> JsonObject:
    """A dispute as it is now."""
    return world.require("dispute", call.object_id, param="dispute")


def open_by_card(world: World, charge_id: str, cause: Cause) -> None:
    """Open the dispute of a test card, some time after the payment."""
    charge = world.store.get("charge", charge_id)
    course = card_of(world, charge["payment_method"]).dispute
    if course is not None:
        open_dispute(world, charge, cause, course=course)


def open_dispute(
    world: World,
    charge: JsonObject,
    cause: Cause,
    *,
    course: DisputeCourse = _FRAUDULENT,
    amount: int | None = None,
) -> JsonObject:
    """Open a dispute; unless it is an inquiry, the disputed amount is withdrawn at once.

    Raises:
        StateError: the charge was not captured.
    """
    if not charge["captured"]:
        raise StateError(f"Charge {charge['id']} wasn't captured, so it can't be disputed.")
    dispute = objects.dispute(
        world.object_id("du_1", cause),
        world.clock.seconds(),
        charge,
        charge["amount_captured"] if amount is None else amount,
        network_reason_code=course.network_reason_code,
        reason=course.reason,
        status=course.status,
    )
    takes_money = course.status in ("needs_response", "under_review", "lost")
    if takes_money:
        _move_funds(world, dispute, -dispute["amount"])
    charge["disputed"] = True
    world.store.update(charge)
    world.store.insert(dispute)
    world.journal.record("charge.dispute.created", dispute, cause)
    if takes_money:
        world.journal.record("charge.dispute.funds_withdrawn", dispute, cause)
    return dispute


def change_status(world: World, dispute: JsonObject, status: str, cause: Cause) -> JsonObject:
    """Change an open dispute to another open status."""
    before = dict(dispute)
    dispute["status"] = status
    world.store.update(dispute)
    world.journal.record("charge.dispute.updated", dispute, cause, before)
    return dispute


def close(world: World, dispute: JsonObject, status: str, cause: Cause) -> JsonObject:
    """Close a dispute; winning reinstates the amount. A lost dispute may be won later."""
    before = dict(dispute)
    dispute["status"] = status
    gives_back = status in ("won", "prevented") and _balance(dispute) < 0
    if gives_back:
        _move_funds(world, dispute, -_balance(dispute))
    world.store.update(dispute)
    world.journal.record("charge.dispute.closed", dispute, cause, before)
    if gives_back:
        world.journal.record("charge.dispute.funds_reinstated", dispute, cause)
    return dispute


def move_funds(world: World, dispute: JsonObject, direction: str, cause: Cause) -> JsonObject:
    """Withdraw or reinstate the disputed amount without deciding the dispute."""
    sign = -1 if direction == "withdraw" else 1
    _move_funds(world, dispute, sign * dispute["amount"])
    world.store.update(dispute)
    happened = "funds_withdrawn" if direction == "withdraw" else "funds_reinstated"
    world.journal.record(f"charge.dispute.{happened}", dispute, cause)
    return dispute


def _move_funds(world: World, dispute: JsonObject, amount: int) -> None:
    movements = dispute["balance_transactions"]
    movement_id = world.chance.object_id("txn_1", dispute["id"], len(movements))
    dispute["balance_transactions"] = [
        *movements,
        objects.balance_transaction(
            movement_id, world.clock.seconds(), amount, dispute["currency"], dispute["id"]
        ),
    ]


def _balance(dispute: JsonObject) -> int:
    return sum(movement["amount"] for movement in dispute["balance_transactions"])
