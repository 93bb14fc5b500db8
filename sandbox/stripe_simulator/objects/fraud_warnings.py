"""Early fraud warnings: a bank reports that a charge may be fraudulent.

Source: https://docs.stripe.com/api/radar/early_fraud_warnings and
https://docs.stripe.com/disputes/measuring#early-fraud-warnings
"""

from typing import Literal

from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import objects
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

KIND = "radar.early_fraud_warning"
FraudType = Literal[
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
]


def retrieve(world: World, call: Call) -> JsonObject:
    """An early fraud warning as it is now."""
    return world.require(KIND, call.object_id, param="early_fraud_warning")


def warn(world: World, charge: JsonObject, fraud_type: FraudType, cause: Cause) -> JsonObject:
    """The bank warns about a charge."""
    warning = objects.early_fraud_warning(
        world.object_id("issfr_1", cause), world.clock.seconds(), charge, fraud_type
    )
    warning["actionable"] = not charge["disputed"] and not charge["refunded"]
    world.store.insert(warning)
    world.journal.record(f"{KIND}.created", warning, cause)
    return warning


def warn_by_card(world: World, charge_id: str, cause: Cause) -> None:
    """The warning of a test card, some time after the payment."""
    warn(world, world.store.get("charge", charge_id), "unauthorized_use_of_card", cause)


def close(world: World, charge: JsonObject, cause: Cause) -> None:
    """A disputed or fully refunded charge leaves nothing to do about its warnings."""
    for warning in world.store.of_charge(KIND, charge["id"]):
        if warning["actionable"]:
            before = dict(warning)
            warning["actionable"] = False
            world.store.update(warning)
            world.journal.record(f"{KIND}.updated", warning, cause, before)
