"""The refund operations, and the later settlement of refunds.

Source: https://docs.stripe.com/api/refunds and https://docs.stripe.com/refunds
"""

from sandbox.stripe_simulator.errors import ParameterError, StateError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import fraud_warnings, objects
from sandbox.stripe_simulator.objects.attempts import card_of, given_back
from sandbox.stripe_simulator.objects.payment_intent_params import check_step
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

REFUND_SETTLEMENT = "refund_settlement"
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
UNDONE = ("failed", "canceled")
_LATER = {"pending_then_succeeds": "succeeded", "succeeds_then_fails": "failed"}


def create(world: World, call: Call) -> JsonObject:
    """Refund a charge fully or partly."""
    params = call.params
    amount = params.amount("amount")
    reason = params.choice("reason", REASONS)
    metadata = params.metadata()
    charge = _charge_named(world, call)
    return refund_charge(world, charge, call.cause, amount=amount, reason=reason, metadata=metadata)


def refund_charge(
    world: World,
    charge: JsonObject,
    cause: Cause,
    *,
    amount: int | None = None,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
) -> JsonObject:
    """Refund a charge; without an amount, the remainder.

    Raises:
        StateError: the charge cannot be refunded, or the amount exceeds the remainder.
    """
    left = charge["amount_captured"] - given_back(world, charge)
    amount = left if amount is None else amount
    check_step(amount, charge["currency"], param="amount")
    _check_refundable(world, charge, amount, left)
    course = card_of(world, charge["payment_method"]).refund
    pending = course == "pending_then_succeeds"
    refund_id = world.object_id("re_3", cause)
    refund = objects.refund(
        refund_id,
        world.clock.seconds(),
        charge,
        amount,
        balance_transaction=None if pending else world.chance.object_id("txn_3", refund_id),
        metadata=metadata or {},
        reason=reason,
        status="pending" if pending else "succeeded",
    )
    if pending:
        refund["pending_reason"] = "processing"
    world.store.insert(refund)
    world.journal.record("refund.created", refund, cause)
    _add_to_charge(world, charge, amount, cause)
    if course in _LATER:
        delay_s = world.settings.settlement_delay_s
        world.start_timer(REFUND_SETTLEMENT, refund_id, delay_s, _LATER[course])
    return refund


def retrieve(world: World, call: Call) -> JsonObject:
    """A refund's current state."""
    return world.require("refund", call.object_id, param="id")


def update(world: World, call: Call) -> JsonObject:
    """Change a refund's metadata."""
    refund = retrieve(world, call)
    before = dict(refund)
    refund["metadata"] = call.params.metadata(refund["metadata"])
    world.store.update(refund)
    _record_update(world, refund, call.cause, before)
    return refund


def cancel(world: World, call: Call) -> JsonObject:
    """Cancel a refund that waits for the customer."""
    refund = retrieve(world, call)
    if refund["status"] != "requires_action":
        raise StateError(
            f"Refund {refund['id']} has a status of {refund['status']}; only a refund with a"
            " status of requires_action can be canceled."
        )
    return settle(world, refund, "canceled", call.cause)


def settle(world: World, refund: JsonObject, status: str, cause: Cause) -> JsonObject:
    """Change a refund's status; a failed refund returns its amount to the charge."""
    before = dict(refund)
    refund["status"] = status
    refund.pop("pending_reason", None)
    if status == "succeeded":
        refund["balance_transaction"] = world.chance.object_id("txn_3", refund["id"])
    elif status == "failed":
        refund["failure_reason"] = "expired_or_canceled_card"
        refund["failure_balance_transaction"] = world.chance.object_id(
            "txn_3", refund["id"], "failure"
        )
    if status in UNDONE and before["status"] not in UNDONE:
        charge = world.store.get("charge", refund["charge"])
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        world.store.update(charge)
    world.store.update(refund)
    if status == "failed":
        world.journal.record("refund.failed", refund, cause)
    _record_update(world, refund, cause, before)
    return refund


def settle_later(world: World, refund_id: str, cause: Cause, status: str) -> None:
    """Settle a refund as planned, unless it was settled meanwhile."""
    refund = world.store.get("refund", refund_id)
    if refund["status"] in ("pending", "succeeded") and refund["status"] != status:
        settle(world, refund, status, cause)


def _charge_named(world: World, call: Call) -> JsonObject:
    charge_id = call.params.text("charge")
    intent_id = call.params.text("payment_intent")
    if charge_id is not None:
        charge = world.require("charge", charge_id, param="charge", in_path=False)
        if intent_id not in (None, charge["payment_intent"]):
            raise ParameterError(
                "The charge belongs to another PaymentIntent.", param="payment_intent"
            )
        return charge
    if intent_id is None:
        raise ParameterError(
            "One of the following params should be provided for this request: payment_intent or"
            " charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    intent = world.require("payment_intent", intent_id, param="payment_intent", in_path=False)
    charge = intent["latest_charge"] and world.store.get("charge", intent["latest_charge"])
    if not charge or not charge["paid"]:
        raise StateError(
            f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    found: JsonObject = charge
    return found


def _check_refundable(world: World, charge: JsonObject, amount: int, left: int) -> None:
    if not charge["paid"]:
        raise StateError(f"Charge {charge['id']} failed, so it can't be refunded.")
    if charge["refunded"]:
        raise StateError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if not charge["captured"]:
        raise StateError(
            f"This uncaptured Charge was created by a PaymentIntent ({charge['payment_intent']})."
            " You must cancel the PaymentIntent to reverse the authorization instead of refunding"
            " the Charge directly.",
        )
    disputes = world.store.of_charge("dispute", charge["id"])
    if any(item["status"] in ("needs_response", "under_review", "lost") for item in disputes):
        raise StateError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    if amount > left:
        raise StateError(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            code="amount_too_large",
            param="amount",
        )


def _add_to_charge(world: World, charge: JsonObject, amount: int, cause: Cause) -> None:
    before = dict(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = given_back(world, charge) == charge["amount_captured"]
    world.store.update(charge)
    world.journal.record("charge.refunded", charge, cause, before)
    if charge["refunded"]:
        fraud_warnings.close(world, charge, cause)


def _record_update(world: World, refund: JsonObject, cause: Cause, before: JsonObject) -> None:
    # Stripe sends a refund's event under an old and a new name; endpoints listen to either.
    world.journal.record("refund.updated", refund, cause, before)
    world.journal.record("charge.refund.updated", refund, cause, before)
