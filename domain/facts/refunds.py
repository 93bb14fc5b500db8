"""Which of the provider's refunds are the ones we asked for, and how much money all of them hold.

Anybody with access to the provider can write our refund's ID on another refund, so such a claim
proves nothing. Two things do: the object our call was answered with, and our call's idempotency
key in an event. What is bound is worked out from all that is known, so no order matters. Until a
refund of ours is bound, it and whatever claims to be it count both: too little may be refunded
meanwhile, never too much.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from domain.call_key import CallKey, Operation
from domain.payment import Payment, ProviderRefund, Refund
from domain.status import RefundStatus

#: Refunds in these states hold or have taken money that cannot be refunded again.
RESERVING: Final = frozenset(
    {
        RefundStatus.REQUESTED,
        RefundStatus.PENDING,
        RefundStatus.REQUIRES_ACTION,
        RefundStatus.SUCCEEDED,
    }
)


class Standing(Struct, frozen=True):
    """One refund: asked for by us, known at the provider, or both; never neither."""

    #: Ours where we asked for it, otherwise derived from the provider's object.
    id: str
    asked: Refund | None
    made: ProviderRefund | None

    @property
    def amount(self) -> int:
        """In minor units."""
        known = self.made or self.asked
        return known.amount if known is not None else 0

    @property
    def status(self) -> RefundStatus:
        """Its strongest fact, or our own request until there is one."""
        if self.made is not None:
            return self.made.facts[-1].status
        refused = self.asked is not None and self.asked.refusal is not None
        return RefundStatus.FAILED if refused else RefundStatus.REQUESTED


def echoed(payment_id: str, caused_by: str | None) -> str | None:
    """The ID of this payment's refund whose call has this key, of whichever generation."""
    key = CallKey.parse(caused_by)
    if key is None or key.payment_id != payment_id or key.operation is not Operation.REFUND:
        return None
    return key.name


def bound(payment: Payment) -> dict[str, str]:
    """The provider's refund of each of ours that is proven, by our ID. No two have the same."""
    by_id = {r.id: r.acknowledged for r in payment.refunds if r.acknowledged is not None}
    taken = set(by_id.values())
    asked = {r.id for r in payment.refunds}
    for made in sorted(payment.provider_refunds, key=lambda made: made.ref):
        if made.echoes in asked and made.echoes not in by_id and made.ref not in taken:
            by_id[made.echoes] = made.ref
    return by_id


def standings(payment: Payment) -> tuple[Standing, ...]:
    """Every refund once, by ID: ours, and those that were made without us.

    What claims to be one of ours that isn't bound yet is not among them: it is soon one of ours,
    or nobody's but the provider's.
    """
    if not payment.refunds and not payment.provider_refunds:
        return ()
    ours = bound(payment)
    made = {made.ref: made for made in payment.provider_refunds}
    asked = [Standing(r.id, r, made.pop(ours.get(r.id, ""), None)) for r in payment.refunds]
    unbound = _unbound(payment, ours)
    others = [Standing(m.id, None, m) for m in made.values() if not _claimed(m, unbound)]
    return tuple(sorted((*asked, *others), key=lambda each: each.id))


def awaited(payment: Payment) -> str | None:
    """A refund of ours that something claims to be, and whose call's answer will tell; its ID."""
    ours = bound(payment)
    unbound, taken = _unbound(payment, ours), set(ours.values())
    claimed = (_claimed(m, unbound) for m in payment.provider_refunds if m.ref not in taken)
    return min((claim for claims in claimed for claim in claims), default=None)


def _unbound(payment: Payment, ours: Mapping[str, str]) -> frozenset[str]:
    return frozenset(r.id for r in payment.refunds if r.id not in ours and r.refusal is None)


def _claimed(made: ProviderRefund, unbound: frozenset[str]) -> frozenset[str]:
    return unbound.intersection(made.claims)


def reserved(payment: Payment) -> int:
    """What refunds hold or have taken, in minor units; what isn't proven to be one counts twice."""
    known = {made.ref for made in payment.provider_refunds}
    ours = bound(payment)
    asked = (r for r in payment.refunds if r.refusal is None and ours.get(r.id) not in known)
    made = (m for m in payment.provider_refunds if m.facts[-1].status in RESERVING)
    return sum(r.amount for r in asked) + sum(m.amount for m in made)


def given_back(payment: Payment) -> int:
    """What the provider has given back, in minor units, whichever refund it counts for."""
    return sum(
        made.amount
        for made in payment.provider_refunds
        if made.facts[-1].status is RefundStatus.SUCCEEDED
    )
