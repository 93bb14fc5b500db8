"""Disputes: opened by a cardholder, updated and closed by the bank, read through the API.

Source: https://docs.stripe.com/api/disputes and https://docs.stripe.com/disputes/how-disputes-work
"""

import json
from dataclasses import dataclass

from sandbox.stripe_simulator.errors import StateError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import fraud_warnings, objects
from sandbox.stripe_simulator.objects.attempts import card_of
from sandbox.stripe_simulator.objects.payment_methods import DisputeCourse
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

CLOSED = ("won", "lost", "warning_closed", "prevented")
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
#: An appeal against a decision, since 2026-10-28.endive.
APPEAL = ("appeal_needs_response", "appeal_under_review")
_TAKING = ("needs_response", "under_review", "lost")
_RESPONSE_S = 7 * 86_400
_FRAUDULENT = DisputeCourse("fraudulent", "needs_response", "10.4")


@dataclass(frozen=True, slots=True)
class Settlement:
    """The account's balance in another currency.

    ``rate`` is the balance's minor units for one minor unit of the disputed amount.
    """

    currency: str
    rate: float


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
    currency: str | None = None,
    settlement: Settlement | None = None,
) -> JsonObject:
    """Open a dispute; unless it is an inquiry, the disputed amount is withdrawn at once.

    Args:
        world: the simulator.
        charge: the disputed charge.
        cause: what opens it.
        course: its reason and first status.
        amount: the disputed amount; by default all that was captured.
        currency: the disputed amount's currency; by default the charge's.
        settlement: the balance on which its money moves; by default one in its own currency.

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
        currency=currency or charge["currency"],
        network_reason_code=course.network_reason_code,
        reason=course.reason,
        status=course.status,
    )
    if settlement is not None:
        world.store.write_note(_note(dispute), json.dumps([settlement.currency, settlement.rate]))
    takes_money = course.status in _TAKING
    if takes_money:
        _move_funds(world, dispute, -dispute["amount"])
    charge["disputed"] = True
    world.store.update(charge)
    world.store.insert(dispute)
    world.journal.record("charge.dispute.created", dispute, cause)
    if takes_money:
        world.journal.record("charge.dispute.funds_withdrawn", dispute, cause)
    fraud_warnings.close(world, charge, cause)
    return dispute


def change_status(world: World, dispute: JsonObject, status: str, cause: Cause) -> JsonObject:
    """Change a dispute to an open status.

    An inquiry, also a closed one, may become a chargeback, which takes the money. A decision may
    be appealed, which has a deadline of its own.
    """
    before = dict(dispute)
    escalates = before["status"].startswith("warning_") and status in _TAKING
    dispute["status"] = status
    if status == "appeal_needs_response" or escalates:
        due_by = world.clock.seconds() + _RESPONSE_S
        dispute["evidence_details"] = {**dispute["evidence_details"], "due_by": due_by}
    if escalates:
        card = {**dispute["payment_method_details"]["card"], "case_type": "chargeback"}
        dispute["payment_method_details"] = {**dispute["payment_method_details"], "card": card}
        dispute["is_charge_refundable"] = False
        _move_funds(world, dispute, -dispute["amount"])
    world.store.update(dispute)
    world.journal.record("charge.dispute.updated", dispute, cause, before)
    if escalates:
        world.journal.record("charge.dispute.funds_withdrawn", dispute, cause)
    return dispute


def adjust(world: World, dispute: JsonObject, amount: int, cause: Cause) -> JsonObject:
    """Correct the money that moved, as for a change of the exchange rate.

    ``amount`` is in minor units of the balance's currency; negative takes it from the balance.
    """
    before = dict(dispute)
    currency, rate = _settlement(world, dispute)
    _add_movement(world, dispute, amount, currency, rate, "other_adjustment")
    world.store.update(dispute)
    world.journal.record("charge.dispute.updated", dispute, cause, before)
    return dispute


def close(world: World, dispute: JsonObject, status: str, cause: Cause) -> JsonObject:
    """Close a dispute; winning reinstates the amount. A lost dispute may be won later."""
    before = dict(dispute)
    dispute["status"] = status
    balance = sum(movement["amount"] for movement in dispute["balance_transactions"])
    gives_back = status in ("won", "prevented") and balance < 0
    if gives_back:
        currency, rate = _settlement(world, dispute)
        _add_movement(world, dispute, -balance, currency, rate, "dispute_reversal")
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
    """Move an amount in the dispute's currency, converted to that of the balance."""
    currency, rate = _settlement(world, dispute)
    category = "dispute" if amount < 0 else "dispute_reversal"
    _add_movement(world, dispute, round(amount * rate), currency, rate, category)


def _add_movement(
    world: World, dispute: JsonObject, amount: int, currency: str, rate: float, category: str
) -> None:
    movements = dispute["balance_transactions"]
    movement_id = world.chance.object_id("txn_1", dispute["id"], len(movements))
    dispute["balance_transactions"] = [
        *movements,
        objects.balance_transaction(
            movement_id,
            world.clock.seconds(),
            amount,
            currency,
            dispute["id"],
            reporting_category=category,
            exchange_rate=None if currency == dispute["currency"] else rate,
        ),
    ]


def _settlement(world: World, dispute: JsonObject) -> tuple[str, float]:
    note = world.store.read_note(_note(dispute))
    if note is None:
        return dispute["currency"], 1.0
    currency, rate = json.loads(note)
    return str(currency), float(rate)


def _note(dispute: JsonObject) -> str:
    return f"settlement:{dispute['id']}"
