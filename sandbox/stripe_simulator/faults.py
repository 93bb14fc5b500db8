"""The faults, their probabilities, and the plan of faults for each request.

A probability of 0 switches a fault off; the default is 0.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.stripe_simulator.chance import Chance

Probability = Annotated[float, Field(ge=0, le=1)]
Hold = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
SecondsRange = tuple[Hold, Hold]


class Faults(BaseModel):
    """Probabilities and their parameters. Ranges are (least, most) in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Faults of a webhook's delivery, drawn once per event and endpoint.
    duplicate: Probability = 0.0
    duplicate_max: Annotated[int, Field(ge=1, le=50)] = 2
    duplicate_spread_s: SecondsRange = (0.0, 1.0)
    reorder: Probability = 0.0
    reorder_hold_s: SecondsRange = (0.3, 1.5)
    delay: Probability = 0.0
    delay_s: SecondsRange = (0.1, 2.0)
    drop: Probability = 0.0
    generation_failure: Probability = 0.0
    # The list of events has it only after later ones.
    listed_late: Probability = 0.0
    listed_late_s: SecondsRange = (1.0, 30.0)
    # The search has an object only so many seconds after it was made.
    searched_late_s: Hold = 1.0
    # What becomes of a cursor of a type that is not asked for: Stripe's pages do not say.
    foreign_cursor: Literal["taken", "refused", "ends the list"] = "taken"
    wrong_signature: Probability = 0.0
    altered_body: Probability = 0.0

    # Faults of an API call, drawn for each attempt with an idempotency key.
    rate_limit_429: Probability = 0.0
    reset_before: Probability = 0.0
    error_500_before: Probability = 0.0
    slow: Probability = 0.0
    slow_s: SecondsRange = (0.1, 1.0)
    early: Probability = 0.0
    early_hold_s: SecondsRange = (0.02, 0.2)
    error_500_after: Probability = 0.0
    timeout_after: Probability = 0.0
    timeout_hold_s: Hold = 60.0
    reset_after: Probability = 0.0

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> "Faults":
        for name, value in self:
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{name}: the first bound {value[0]} is above {value[1]}")
        return self


PRESETS: dict[str, Faults] = {
    "none": Faults(),
    # Realistic faults: nothing is lost permanently.
    "rough": Faults(
        duplicate=0.10,
        reorder=0.10,
        delay=0.10,
        early=0.05,
        rate_limit_429=0.02,
        error_500_before=0.02,
        error_500_after=0.01,
        reset_before=0.01,
        reset_after=0.01,
        slow=0.05,
    ),
    # All faults at once, lost and forged webhooks included.
    "hostile": Faults(
        duplicate=0.25,
        duplicate_max=4,
        reorder=0.25,
        delay=0.25,
        drop=0.03,
        listed_late=0.10,
        searched_late_s=60.0,
        generation_failure=0.02,
        wrong_signature=0.05,
        altered_body=0.05,
        early=0.15,
        rate_limit_429=0.05,
        error_500_before=0.05,
        error_500_after=0.05,
        reset_before=0.03,
        reset_after=0.03,
        timeout_after=0.02,
        slow=0.10,
    ),
}


def parse_faults(value: Any) -> Any:
    """Convert a preset's name or JSON text into input for ``Faults``.

    Raises:
        ValueError: neither a preset nor JSON.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text in PRESETS:
        return PRESETS[text]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        names = ", ".join(PRESETS)
        raise ValueError(f"neither one of {names} nor a JSON object: {error}") from error


class FaultSwitch:
    """The faults in force; ``set`` applies from the next request and the next event on."""

    def __init__(self, faults: Faults) -> None:
        self.current = faults

    def set(self, faults: Faults) -> None:
        """Replace the faults in force."""
        self.current = faults


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The faults of one attempt at an API call. Latencies and holds are in seconds; 0 is none."""

    rate_limit_429: bool = False
    reset_before: bool = False
    error_500_before: bool = False
    slow_s: float = 0.0
    early: bool = False
    early_hold_s: float = 0.0
    error_500_after: bool = False
    timeout_after: bool = False
    reset_after: bool = False


_NO_FAULTS = RequestPlan()


def plan_request(
    faults: Faults, chance: Chance, identity: str, attempt: int, *, writes: bool
) -> RequestPlan:
    """Draw the faults of an attempt.

    Args:
        faults: those in force.
        chance: the draws.
        identity: identifies the call: the idempotency key, or the request line.
        attempt: 1 for the first; each retry has its own faults.
        writes: whether the call writes; only then can it fail after execution.
    """
    if faults == PRESETS["none"]:
        return _NO_FAULTS

    def drawn(name: str) -> bool:
        return chance.happens(getattr(faults, name), "request", identity, attempt, name)

    def seconds(name: str, bounds: tuple[float, float]) -> float:
        return chance.between(bounds, "seconds", identity, attempt, name) if drawn(name) else 0.0

    return RequestPlan(
        rate_limit_429=drawn("rate_limit_429"),
        reset_before=drawn("reset_before"),
        error_500_before=drawn("error_500_before"),
        slow_s=seconds("slow", faults.slow_s),
        early=writes and drawn("early"),
        early_hold_s=seconds("early", faults.early_hold_s),
        error_500_after=writes and drawn("error_500_after"),
        timeout_after=drawn("timeout_after"),
        reset_after=drawn("reset_after"),
    )
