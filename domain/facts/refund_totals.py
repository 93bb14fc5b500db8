"""What a provider reports as given back in all, without naming the refunds.

Some reports have a total alone. What it exceeds the known refunds by was given back in refunds that
no report has named yet; it counts, and is shown as one refund. A report that carries the call key
of our own refund says that this refund was made, though not how the provider names it, nor of what
amount it is.

All of it is derived from the set: a refund that is named later takes its amount from the rest.
"""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from domain.facts import join
from domain.facts.releases import has_no_release, released_amount
from domain.inputs import PaymentFact, RefundFact
from domain.payment import Payment, ProviderRefund
from domain.status import ProviderStatus, RefundStatus

_RETURNED = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})


def latest(known: RefundFact | None, fact: RefundFact) -> RefundFact:
    """The later of two totals; within one second the greater one, then by event ID.

    A total of 0 counts nothing: it only carries a call key. It never replaces another.
    """
    if known is None:
        return fact
    return max(known, fact, key=lambda f: (f.amount > 0, f.occurred_at, f.amount, f.event_id))


def range_with(payment: Payment, fact: RefundFact) -> tuple[int, int] | None:
    """The least and the greatest total, with one more.

    Of a payment that an earlier release stored, only the latest total is known.
    """
    known = payment.refund_total_range
    if known is None and payment.refund_total is not None:
        known = _widened(None, payment.refund_total)
    return _widened(known, fact)


def _widened(known: tuple[int, int] | None, fact: RefundFact) -> tuple[int, int] | None:
    """The range with one more total; one that can have no release counts not."""
    if fact.amount == 0 or not fact.may_be_release:
        return known
    least, greatest = known or (fact.amount, fact.amount)
    return min(least, fact.amount), max(greatest, fact.amount)


def echoed(
    payment: Payment, reported: Collection[str], given_back: Collection[ProviderRefund]
) -> dict[str, ProviderRefund]:
    """Requested refunds that a total's call key proves, and that no other report is about.

    Only as many as the latest total has room for, beyond the refunds that are known by name: a key
    of ours may have been sent with a refund of less. First come those whose call has an answer,
    then the order is that of their IDs. ``reported`` are the IDs of those that a report is about,
    ``given_back`` the provider's refunds that are real ones.
    """
    total = payment.refund_total
    if total is None:
        return {}
    room, proven = _not_named(payment, given_back), dict[str, ProviderRefund]()
    for refund in sorted(payment.refunds, key=lambda r: (r.provider_ref is None, r.id)):
        has_key = refund.id in payment.echoed_refunds and refund.id not in reported
        if has_key and refund.refusal is None and refund.amount <= room:
            proven[refund.id] = _named(total, refund.id, refund.amount)
            room -= refund.amount
    return proven


def unnamed(
    payment: Payment, given_back: Collection[ProviderRefund], echoes: Iterable[ProviderRefund]
) -> ProviderRefund | None:
    """What was given back in refunds that no report names, as one; None where there is nothing."""
    total = payment.refund_total
    rest = _not_named(payment, given_back) - sum(r.amount for r in echoes)
    return _named(total, total.refund_id, rest) if total is not None and rest > 0 else None


def _not_named(payment: Payment, given_back: Collection[ProviderRefund]) -> int:
    """What the latest total has given back beyond the refunds that are known by name."""
    total, end = payment.refund_total, join.terminal(payment.facts)
    if total is None or end is None or end.status is not ProviderStatus.SUCCEEDED:
        return 0
    named = sum(r.amount for r in given_back if _is_in(total, r))
    is_named = len(given_back) < len(payment.provider_refunds)
    let_go = _let_go(payment, total, end, is_named=is_named) if total.may_be_release else 0
    return total.amount - let_go - named


def _let_go(payment: Payment, total: RefundFact, end: PaymentFact, *, is_named: bool) -> int:
    """What the totals have in them that was let go and not given back.

    Nothing, unless one of three things shows that there is a release: a report that names it, a
    first total of exactly the rest, or one of more than what was captured.
    """
    rest = released_amount(payment, end)
    if has_no_release(payment, rest):
        return 0
    least, greatest = payment.refund_total_range or (total.amount, total.amount)
    return rest if is_named or least == rest or greatest > end.captured else 0


def _is_in(total: RefundFact, refund: ProviderRefund) -> bool:
    """Whether a total has this refund in it: it was made by then, and not returned before.

    A total is reported when a refund is made. One that is returned within that second is in it.
    """
    last = refund.facts[-1]
    made = refund.made_at or min(fact.occurred_at for fact in refund.facts)
    is_returned = last.status in _RETURNED and last.occurred_at < total.occurred_at
    return made <= total.occurred_at and not is_returned


def _named(total: RefundFact, refund_id: str, amount: int) -> ProviderRefund:
    fact = replace(total, amount=amount, is_total=False, listed=(), reason=None)
    return ProviderRefund(ref=total.ref, id=refund_id, amount=amount, facts=(fact,))
