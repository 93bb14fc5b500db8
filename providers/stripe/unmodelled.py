"""Events that have no effect on a payment, and why."""

from domain.inputs import Unmodelled
from providers.stripe.shapes import Event


def unknown_status(event: Event, status: str) -> Unmodelled:
    """Returns an event with a status that no table has: of a later version, or malformed."""
    why = f"its status {status[:40]!r} is unknown"
    return Unmodelled(event.id, event.type, why, unknown_status=True)


def of_no_intent(event: Event) -> Unmodelled:
    """Returns an event about a charge that was made without a payment intent: never ours."""
    return Unmodelled(event.id, event.type, "it belongs to no payment intent")


def without_effect(event: Event) -> Unmodelled:
    """Returns an event of a type that we do not read, or that others repeat."""
    return Unmodelled(event.id, event.type, "this type of event has no effect on a payment")


def told_by_others(event: Event) -> Unmodelled:
    """Returns an event whose content other events have, but not in every API version."""
    why = "in this API version, other events report what it says"
    return Unmodelled(event.id, event.type, why, other_form=True)


def unread_version(event: Event, why: str) -> Unmodelled:
    """Returns an event of an API version whose form we do not know."""
    return Unmodelled(event.id, event.type, why, unread_version=True)
