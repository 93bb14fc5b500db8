"""The limits of one payment, as a table: everything inside it that grows has one.

A command beyond a limit is rejected. A provider's fact must not be lost: beyond a limit the payment
is quarantined and its inputs wait. They are applied once it is released under a higher limit.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from domain.payment import Payment


class Limit(Struct, frozen=True):
    """At most ``most`` items of one kind in one payment."""

    what: str
    most: int
    count: Callable[[Payment], int]


def _reported_ids(payment: Payment) -> int:
    """How many refund IDs of ours the reports name, each once for each refund and for the totals.

    Most are of requested refunds: of others, ``facts.refunds`` keeps a few.
    """
    named = sum(len(r.claims) + len(r.key_refund_ids) for r in payment.provider_refunds)
    return named + len(payment.echoed_refunds)


LIMITS: Final[tuple[Limit, ...]] = (
    Limit("attempts", 100, lambda p: len(p.attempts)),
    Limit("operations", 2_000, lambda p: len(p.operations)),
    Limit("provider calls", 2_500, lambda p: len(p.calls)),
    Limit("facts about the payment", 200, lambda p: len(p.facts)),
    Limit("requested refunds", 1_000, lambda p: len(p.refunds)),
    Limit("refunds at the provider", 1_500, lambda p: len(p.provider_refunds)),
    Limit("reported IDs of requested refunds", 10_000, _reported_ids),
    Limit("disputes", 100, lambda p: len(p.disputes)),
    Limit("fraud warnings", 100, lambda p: len(p.fraud_warnings)),
    Limit("movements of money", 1_000, lambda p: sum(len(d.movements) for d in p.disputes)),
)


def exceeded(before: Payment | None, after: Payment) -> str | None:
    """The limit that a change exceeds, as a sentence; None where it exceeds none.

    A payment that already exceeds a limit may change, as long as it does not grow further.
    """
    for limit in LIMITS:
        count = limit.count(after)
        if count > limit.most and (before is None or count > limit.count(before)):
            return f"a payment can hold at most {limit.most} {limit.what}"
    return None
