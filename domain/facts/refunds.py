"""Matches the provider's refunds with the requested ones, and adds up their amounts.

Anybody with write access at the provider can put our refund ID into another refund's metadata, so
such a claim proves nothing. Two things are proof: the response to our own refund call, and an event
that carries that call's idempotency key, of a refund of the amount that the call asked for. Matches
are derived from everything known, so the order of arrival does not matter. Until a requested refund
is matched, its amount and that of every refund that claims to be it are both reserved: the
refundable amount may be too small, never too large.
"""

from bisect import bisect_left
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Final

from msgspec import Struct

from domain.call_key import CallKey, Operation
from domain.facts import refund_totals
from domain.facts.releases import releases
from domain.payment import Payment, ProviderRefund, RefundRequest
from domain.status import RefundStatus

#: A refund in one of these states reserves its amount: that money can't be refunded again.
RESERVING: Final = frozenset(
    {
        RefundStatus.REQUESTED,
        RefundStatus.PENDING,
        RefundStatus.REQUIRES_ACTION,
        RefundStatus.SUCCEEDED,
    }
)


#: How many IDs of refunds that were not requested are kept of one refund at the provider, in its
#: call keys and in its claims; and as many of the totals' keys.
UNREQUESTED_IDS_MAX: Final = 10


class RefundRecord(Struct, frozen=True):
    """One refund: requested by a client, known at the provider, or both; never neither."""

    #: Our own ID where the refund was requested, otherwise derived from the provider's object.
    id: str
    requested: RefundRequest | None
    reported: ProviderRefund | None

    @property
    def amount(self) -> int:
        """In minor units."""
        known = self.reported or self.requested
        return known.amount if known is not None else 0

    @property
    def status(self) -> RefundStatus:
        """The status of the strongest fact; without a fact, that of the request."""
        if self.reported is not None:
            return self.reported.facts[-1].status
        refused = self.requested is not None and self.requested.refusal is not None
        return RefundStatus.FAILED if refused else RefundStatus.REQUESTED


def find_reported(payment: Payment, ref: str) -> ProviderRefund | None:
    """The provider's refund with this reference; None where it is not known."""
    at = _place(payment, ref)
    found = payment.provider_refunds[at : at + 1]
    return found[0] if found and found[0].ref == ref else None


def with_reported(payment: Payment, made: ProviderRefund) -> tuple[ProviderRefund, ...]:
    """The provider's refunds with this one, in place of what was known of it."""
    known, at = payment.provider_refunds, _place(payment, made.ref)
    rest = at if find_reported(payment, made.ref) is None else at + 1
    return (*known[:at], made, *known[rest:])


def _place(payment: Payment, ref: str) -> int:
    return bisect_left(payment.provider_refunds, ref, key=lambda refund: refund.ref)


def refund_id_in_key(payment_id: str, caused_by: str | None) -> str | None:
    """The ID of this payment's refund whose call has this key, of whichever generation."""
    key = CallKey.parse(caused_by)
    if key is None or key.payment_id != payment_id or key.operation is not Operation.REFUND:
        return None
    return key.name


def kept_refund_ids(payment: Payment, ids: Collection[str]) -> list[str]:
    """Those refund IDs of ours in reports that may count, in order.

    Anybody with access to the provider may write any number of IDs on a refund, or send them in
    call keys. One that was not requested may be, once its command is read; of these, the first few
    are kept, whatever the order in which they came.
    """
    if len(ids) <= UNREQUESTED_IDS_MAX:
        return sorted(ids)
    requested = {refund.id for refund in payment.refunds}
    others = sorted(set(ids) - requested)[:UNREQUESTED_IDS_MAX]
    return sorted({*requested.intersection(ids), *others})


def proven_refunds(payment: Payment) -> dict[str, str]:
    """The matches that are proven: our refund ID to the provider's. No two share an object."""
    if not payment.refunds:
        return {}
    refs = {r.id: r.provider_ref for r in payment.refunds if r.provider_ref is not None}
    taken = set(refs.values())
    requested = {(r.id, r.amount) for r in payment.refunds}
    for refund in payment.provider_refunds:
        if refund.ref in taken:
            continue
        for refund_id in refund.key_refund_ids:
            if refund_id not in refs and (refund_id, refund.amount) in requested:
                refs[refund_id] = refund.ref
                break
    return refs


def all_refunds(payment: Payment) -> tuple[RefundRecord, ...]:
    """Every refund once, by ID: the requested ones, and those made at the provider.

    Leaves out a refund that claims to be a requested one which has no match yet: whether it is the
    requested one or another is still open.
    """
    if not payment.refunds and not payment.provider_refunds and payment.refund_total is None:
        return ()
    refs = proven_refunds(payment)
    reported = {refund.ref: refund for refund in _given_back(payment, refs)}
    given_back = tuple(reported.values())
    echoed = refund_totals.echoed(payment, _reported_ids(refs, reported), given_back)
    ours = [
        RefundRecord(r.id, r, reported.pop(refs.get(r.id, ""), echoed.get(r.id)))
        for r in payment.refunds
    ]
    unmatched = _unmatched(payment, refs)
    others = [RefundRecord(r.id, None, r) for r in reported.values() if not _claimed(r, unmatched)]
    unnamed = refund_totals.unnamed(payment, given_back, echoed.values())
    if unnamed is not None:
        others.append(RefundRecord(unnamed.id, None, unnamed))
    return tuple(sorted((*ours, *others), key=lambda record: record.id))


def differing(
    before: Payment, after: Payment
) -> Iterator[tuple[RefundRecord | None, RefundRecord | None]]:
    """Yields the records of two states of a payment, place by place, where they may differ.

    One input changes one or two refunds of a payment that may have many: where neither the request
    nor the report has changed, the record has not.
    """
    if not (_is_plain(before) and _is_plain(after)):
        for one, other in zip_longest(all_refunds(before), all_refunds(after)):
            known = one is not None and other is not None
            if not (known and one.requested is other.requested and one.reported is other.reported):
                yield one, other
        return
    for reported, now in zip_longest(before.provider_refunds, after.provider_refunds):
        if reported is not now:
            yield _made_there(reported), _made_there(now)


def _is_plain(payment: Payment) -> bool:
    """Whether the refunds are those at the provider, each by itself."""
    return not payment.refunds and payment.refund_total is None and not _has_candidates(payment)


def _reported_ids(refs: Mapping[str, str], reported: Container[str]) -> frozenset[str]:
    return frozenset(refund_id for refund_id, ref in refs.items() if ref in reported)


def _echoed(payment: Payment, refs: Mapping[str, str]) -> dict[str, ProviderRefund]:
    """The requested refunds that only a total proves."""
    if payment.refund_total is None:
        return {}
    given_back = _given_back(payment, refs)
    reported = _reported_ids(refs, {refund.ref for refund in given_back})
    return refund_totals.echoed(payment, reported, given_back)


def _unnamed_amount(
    payment: Payment, refs: Mapping[str, str], echoes: Iterable[ProviderRefund]
) -> int:
    if payment.refund_total is None:
        return 0
    unnamed = refund_totals.unnamed(payment, _given_back(payment, refs), echoes)
    return unnamed.amount if unnamed is not None else 0


def _has_candidates(payment: Payment) -> bool:
    return any(refund.may_be_release for refund in payment.provider_refunds)


def _given_back(payment: Payment, refs: Mapping[str, str]) -> tuple[ProviderRefund, ...]:
    """The provider's refunds, without those that only let go of an authorization."""
    if not _has_candidates(payment):
        return payment.provider_refunds
    none = releases(payment, frozenset(refs.values()))
    return tuple(r for r in payment.provider_refunds if r.ref not in none)


def is_release(payment: Payment, ref: str) -> bool:
    """Whether the provider's refund with this reference gives nothing back, as far as known."""
    return ref in releases(payment, frozenset(proven_refunds(payment).values()))


def _made_there(reported: ProviderRefund | None) -> RefundRecord | None:
    return None if reported is None else RefundRecord(reported.id, None, reported)


def unproven_refund(payment: Payment) -> str | None:
    """The ID of a requested refund of which another may be taken for it, until its call's result.

    The other one claims to be it, or is in a total that has its key. The first such ID in order;
    None where there is none.
    """
    refs = proven_refunds(payment)
    unmatched, taken = _unmatched(payment, refs), set(refs.values())
    claimed = (_claimed(r, unmatched) for r in payment.provider_refunds if r.ref not in taken)
    unclear = {claim for claims in claimed for claim in claims}
    return min(unclear | (_echoed(payment, refs).keys() - refs.keys()), default=None)


def _unmatched(payment: Payment, refs: Mapping[str, str]) -> frozenset[str]:
    return frozenset(r.id for r in payment.refunds if r.id not in refs and r.refusal is None)


def _claimed(refund: ProviderRefund, unmatched: frozenset[str]) -> frozenset[str]:
    return unmatched.intersection(refund.claims)


def reserved_amount(payment: Payment) -> int:
    """The amount that refunds reserve, in minor units.

    A requested refund that no provider refund proves counts, and each that claims to be it, too.
    So does all of a total that has its key, until its call has a result.
    """
    refs = proven_refunds(payment)
    given_back = _given_back(payment, refs)
    known = {refund.ref for refund in given_back}
    unreported = (r for r in payment.refunds if r.refusal is None and refs.get(r.id) not in known)
    reserving = (r for r in given_back if r.facts[-1].status in RESERVING)
    named = sum(r.amount for r in unreported) + sum(r.amount for r in reserving)
    answered = (echo for refund_id, echo in _echoed(payment, refs).items() if refund_id in refs)
    return named + _unnamed_amount(payment, refs, answered)


def refunded_amount(payment: Payment) -> int:
    """The amount of all succeeded refunds at the provider, in minor units."""
    refs = proven_refunds(payment)
    given_back = _given_back(payment, refs)
    succeeded = (r for r in given_back if r.facts[-1].status is RefundStatus.SUCCEEDED)
    echoes = _echoed(payment, refs).values()
    named = sum(r.amount for r in succeeded) + sum(r.amount for r in echoes)
    return named + _unnamed_amount(payment, refs, echoes)
