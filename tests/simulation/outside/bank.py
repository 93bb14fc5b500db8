"""Changes at the provider without a call: by customers, banks and Dashboard users."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sandbox.stripe_simulator.errors import ApiError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import attempts, disputes, payment_intents, refunds
from sandbox.stripe_simulator.storage.store import decode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import World
from tests.simulation.outside.provider import Provider

Act = Callable[[World, JsonObject, Cause], object]
_INTENTS: Final = (
    "select body from objects where kind = 'payment_intent'"
    " and json_extract(body, '$.metadata.payment_id') = ?"
)
_DISPUTES: Final = "select body from objects where kind = 'dispute' and payment_intent = ?"


def _process(world: World, intent: JsonObject, cause: Cause) -> None:
    """The bank processes an attempt slowly."""
    intent["status"] = "processing"
    intent["next_action"] = None
    world.store.update(intent)
    world.journal.record("payment_intent.processing", intent, cause)


def _dispute(world: World, intent: JsonObject, cause: Cause, *, ends: str) -> None:
    for (body,) in world.store.rows(_DISPUTES, (intent["id"],)):
        disputes.close(world, decode(body), ends, cause)


def _refund(world: World, intent: JsonObject, cause: Cause, *, part: int) -> None:
    charge = world.store.get("charge", intent["latest_charge"])
    refunds.refund_charge(world, charge, cause, amount=max(1, intent["amount_received"] // part))


def _cancel(world: World, intent: JsonObject, cause: Cause, *, reason: str | None) -> None:
    payment_intents.cancel_intent(world, intent, reason, cause)


#: Each act: the payment intent's states in which it is possible, and its function.
ACTS: Final[Mapping[str, tuple[frozenset[str], Act]]] = {
    "customer passes": (
        frozenset({"requires_action", "processing"}),
        lambda world, intent, cause: attempts.complete_action(world, intent, "succeed", cause),
    ),
    "customer fails": (
        frozenset({"requires_action"}),
        lambda world, intent, cause: attempts.complete_action(world, intent, "fail", cause),
    ),
    "bank takes its time": (frozenset({"requires_action"}), _process),
    "bank lets the authorization expire": (
        frozenset({"requires_capture"}),
        lambda world, intent, cause: payment_intents.expire_authorization(
            world, intent["id"], cause
        ),
    ),
    "bank takes the authorization back": (
        frozenset({"requires_capture"}),
        lambda world, intent, cause: attempts.complete_action(world, intent, "fail", cause),
    ),
    "dispute is lost": (frozenset({"succeeded"}), partial(_dispute, ends="lost")),
    "dispute is won": (frozenset({"succeeded"}), partial(_dispute, ends="won")),
    "refunded in the dashboard": (frozenset({"succeeded"}), partial(_refund, part=3)),
    "canceled in the dashboard": (
        frozenset({"requires_action", "requires_capture", "requires_payment_method"}),
        partial(_cancel, reason="duplicate"),
    ),
    "abandoned in the dashboard": (
        frozenset({"requires_action", "requires_capture", "requires_payment_method"}),
        partial(_cancel, reason="abandoned"),
    ),
}


def pay_out(world: World, cause: Cause) -> None:
    """Makes a payout, whose event concerns none of our payments."""
    payout: JsonObject = {
        "id": world.object_id("po_1", cause),
        "object": "payout",
        "amount": 1_000,
        "currency": "eur",
        "status": "paid",
    }
    world.journal.record("payout.paid", payout, cause)


def intents_of(world: World, payment_id: str) -> list[Any]:
    """The payment intents of one of our payments; more than one is a violation."""
    return [decode(body) for (body,) in world.store.rows(_INTENTS, (payment_id,))]


def act(provider: Provider, payment_id: str, name: str) -> bool:
    """Applies an act to a payment if its state allows it; returns whether it did."""
    states, what = ACTS[name]
    for intent in intents_of(provider.world, payment_id):
        if intent["status"] in states:
            try:
                provider.act(lambda world, cause: what(world, intent, cause))  # noqa: B023  # called at once
            except ApiError:
                return False
            return True
    return False
