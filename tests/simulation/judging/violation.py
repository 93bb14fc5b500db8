"""What a run is held to, and does not hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold; ``payment_id`` is empty where it is about none."""

    code: str
    payment_id: str
    what: str
