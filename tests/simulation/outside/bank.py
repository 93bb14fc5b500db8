"""Changes at the provider without a call: by customers, banks and Dashboard users."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sandbox.stories import BACK
from sandbox.stripe_simulator.errors import ApiError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import (
    attempts,
    disputes,
    fraud_warnings,
    payment_intents,
    refunds,
)
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.storage.store import decode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World
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


def _update(world: World, intent: JsonObject, cause: Cause, *, to: str) -> None:
    for (body,) in world.store.rows(_DISPUTES, (intent["id"],)):
        disputes.change_status(world, decode(body), to, cause)


def _adjust(world: World, intent: JsonObject, cause: Cause, *, amount: int) -> None:
    for (body,) in world.store.rows(_DISPUTES, (intent["id"],)):
        disputes.adjust(world, decode(body), amount, cause)


def _dispute_abroad(world: World, intent: JsonObject, cause: Cause) -> None:
    """The account settles in another currency, and the bank disputes in a third."""
    charge = world.store.get("charge", intent["latest_charge"])
    settlement = disputes.Settlement("usd", 1.089)
    disputes.open_dispute(world, charge, cause, currency="gbp", settlement=settlement)


def _warn(world: World, intent: JsonObject, cause: Cause) -> None:
    charge = world.store.get("charge", intent["latest_charge"])
    fraud_warnings.warn(world, charge, "made_with_stolen_card", cause)


def _refund(world: World, intent: JsonObject, cause: Cause, *, part: int) -> None:
    charge = world.store.get("charge", intent["latest_charge"])
    refunds.refund_charge(world, charge, cause, amount=max(1, intent["amount_received"] // part))


def _capture(world: World, intent: JsonObject, cause: Cause, *, part: float) -> None:
    payment_intents.capture_intent(world, intent, int(intent["amount"] * part), cause)


def _raise_authorization(world: World, intent: JsonObject, cause: Cause) -> None:
    params = Params({"amount": str(intent["amount"] + 500)}, frozenset({"amount"}))
    payment_intents.increment_authorization(world, Call(params, {"id": intent["id"]}, cause))


def _pay_otherwise(world: World, intent: JsonObject, cause: Cause) -> None:
    """Somebody who has the client secret tries another card, without a call of ours."""
    manual = intent["capture_method"] == "manual"
    name = "pm_card_visa" if manual else "pm_card_authenticationRequired"
    intent["payment_method"] = attempts.take_payment_method(world, name, cause)
    attempts.confirm(world, intent, cause, unattended=False, return_url=BACK["return_url"])


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
    "dispute can be appealed": (
        frozenset({"succeeded"}),
        partial(_update, to="appeal_needs_response"),
    ),
    "dispute is appealed": (frozenset({"succeeded"}), partial(_update, to="appeal_under_review")),
    "inquiry is closed": (frozenset({"succeeded"}), partial(_dispute, ends="warning_closed")),
    "inquiry becomes a chargeback": (
        frozenset({"succeeded"}),
        partial(_update, to="needs_response"),
    ),
    "exchange rate is corrected": (frozenset({"succeeded"}), partial(_adjust, amount=12)),
    "disputed abroad": (frozenset({"succeeded"}), _dispute_abroad),
    "bank warns of fraud": (frozenset({"succeeded"}), _warn),
    "refunded in the dashboard": (frozenset({"succeeded"}), partial(_refund, part=3)),
    "more is authorized elsewhere": (frozenset({"requires_capture"}), _raise_authorization),
    "more is captured elsewhere": (
        frozenset({"requires_capture"}),
        partial(_capture, part=1.2),
    ),
    "another card is tried elsewhere": (frozenset({"requires_payment_method"}), _pay_otherwise),
    "a part is captured elsewhere": (
        frozenset({"requires_capture"}),
        partial(_capture, part=0.6),
    ),
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
