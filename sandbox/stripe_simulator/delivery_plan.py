"""Plans an event's deliveries to one endpoint, faults included."""

from dataclasses import dataclass
from typing import Literal

from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.faults import Faults

Kind = Literal["first", "duplicate", "wrong_signature", "altered_body", "resend"]
"""``first`` is the regular delivery, retried until it succeeds; ``resend`` is manual."""


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A delivery after a delay in seconds of wall time; a ``dropped`` one is never made."""

    kind: Kind
    fault: str | None = None
    state: Literal["pending", "dropped"] = "pending"
    delay_s: float = 0.0


def plan_delivery(
    faults: Faults, chance: Chance, identity: tuple[object, ...]
) -> list[PlannedDelivery]:
    """Plan an event's deliveries to one endpoint.

    Args:
        faults: those in force.
        chance: the draws.
        identity: the event and the endpoint.
    """

    def drawn(name: str) -> bool:
        return chance.happens(getattr(faults, name), "delivery", name, *identity)

    def seconds(name: str, bounds: tuple[float, float]) -> float:
        return chance.between(bounds, "delivery seconds", name, *identity)

    if drawn("drop"):
        return [PlannedDelivery("first", "drop", "dropped")]
    if drawn("reorder"):
        first = PlannedDelivery(
            "first", "reorder", delay_s=seconds("reorder", faults.reorder_hold_s)
        )
    elif drawn("delay"):
        first = PlannedDelivery("first", "delay", delay_s=seconds("delay", faults.delay_s))
    else:
        first = PlannedDelivery("first")
    plan = [first]
    if drawn("duplicate"):
        copies = chance.whole(1, faults.duplicate_max, "delivery copies", *identity)
        plan += [
            PlannedDelivery(
                "duplicate",
                "duplicate",
                delay_s=first.delay_s + seconds(f"duplicate {number}", faults.duplicate_spread_s),
            )
            for number in range(copies)
        ]
    if drawn("wrong_signature"):
        plan.append(PlannedDelivery("wrong_signature", "wrong_signature"))
    if drawn("altered_body"):
        plan.append(PlannedDelivery("altered_body", "altered_body"))
    return plan
