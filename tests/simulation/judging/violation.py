"""A violated invariant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A violated invariant; ``payment_id`` is empty if it concerns no payment."""

    code: str
    payment_id: str
    what: str
