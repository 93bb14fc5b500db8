"""Retrieves a thin event with its content, which the delivered one does not have.

Source: https://docs.stripe.com/api/v2/core/events/retrieve
"""

from sandbox.stripe_simulator.errors import ResourceMissingError
from sandbox.stripe_simulator.lost_events import LostEvents
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World


def retrieve(world: World, call: Call) -> JsonObject:
    """One thin event."""
    found = LostEvents(world.store).thin(call.object_id)
    if found is None:
        raise ResourceMissingError("event", call.object_id, param="id", in_path=True)
    return found
