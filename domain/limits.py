"""How much one payment can hold, as a table: whatever grows inside it has an end.

A command beyond a limit is rejected. What a provider says is never dropped: beyond a limit the
payment is quarantined, its inputs wait, and they are applied once it is released under a higher
limit.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from domain.payment import Payment


class Limit(Struct, frozen=True):
    """At most so many of these in one payment."""

    what: str
    most: int
    count: Callable[[Payment], int]


LIMITS: Final[tuple[Limit, ...]] = (
    Limit("attempts", 100, lambda p: len(p.attempts)),
    Limit("operations", 2_000, lambda p: len(p.operations)),
    Limit("provider calls", 2_500, lambda p: len(p.calls)),
    Limit("facts about the payment", 200, lambda p: len(p.facts)),
    Limit("refunds asked for", 1_000, lambda p: len(p.refunds)),
    Limit("refunds at the provider", 1_500, lambda p: len(p.provider_refunds)),
    Limit("disputes", 100, lambda p: len(p.disputes)),
    Limit("movements of money", 1_000, lambda p: sum(len(d.movements) for d in p.disputes)),
)


def exceeded(before: Payment | None, after: Payment) -> str | None:
    """The limit that a change goes beyond, in words; a payment that was beyond it may go on."""
    for limit in LIMITS:
        count = limit.count(after)
        if count > limit.most and (before is None or count > limit.count(before)):
            return f"a payment can hold at most {limit.most} {limit.what}"
    return None
