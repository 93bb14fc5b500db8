"""Bugs of the domain and of the fold; each replaces one function.

Each is a mistake that some payment service, or this project, once made.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from decisions.fold import _Fold
from domain import calls, decision, on_fact, view
from domain.decision import Decision
from domain.facts import disputes, join, refunds
from domain.inputs import DisputeFact, Movement, PaymentFact, RefundFact
from domain.payment import Payment
from domain.status import DisputeStatus, RefundStatus, Status
from domain.view import Amounts

Plant = Callable[[pytest.MonkeyPatch], None]


def last_report_wins(patch: pytest.MonkeyPatch) -> None:
    """Of two facts the last to arrive wins."""
    patch.setattr(join, "_replaces", lambda _fact, _known: True)


def ties_by_arrival(patch: pytest.MonkeyPatch) -> None:
    """Of two facts of the same second the first to arrive wins."""

    def order(fact: PaymentFact) -> tuple[datetime, int, str]:
        return fact.occurred_at, 0, ""

    patch.setattr(join, "order", order)


def movements_add_up(patch: pytest.MonkeyPatch) -> None:
    """Money that is reported twice counts twice, though it moved once."""

    def add(known: tuple[Movement, ...], reported: tuple[Movement, ...]) -> tuple[Movement, ...]:
        return (*known, *reported)

    patch.setattr(disputes, "add_movements", add)


def refunds_are_deltas(patch: pytest.MonkeyPatch) -> None:
    """Each report of a refund's success subtracts its amount, and nothing adds it back."""
    plain = view.amounts

    def add(facts: tuple[RefundFact, ...], fact: RefundFact) -> tuple[RefundFact, ...]:
        return (*facts, fact)

    def amounts(payment: Payment) -> Amounts:
        succeeded = RefundStatus.SUCCEEDED
        reported = sum(
            sum(f.status is succeeded for f in r.facts) * r.amount for r in payment.provider_refunds
        )
        recomputed = plain(payment)
        return replace(recomputed, refunded=min(reported, recomputed.captured))

    patch.setattr(join, "add_refund_fact", add)
    patch.setattr(view, "amounts", amounts)


def claims_are_trusted(patch: pytest.MonkeyPatch) -> None:
    """A refund counts as a requested one because its metadata has that one's ID."""
    plain = refunds.proven_refunds

    def proven_refunds(payment: Payment) -> dict[str, str]:
        requested = {refund.id for refund in payment.refunds}
        reported = ((fact.claims, fact.ref) for m in payment.provider_refunds for fact in m.facts)
        claimed = {
            claims: ref for claims, ref in reported if claims is not None and claims in requested
        }
        return {**plain(payment), **claimed}

    patch.setattr(refunds, "proven_refunds", proven_refunds)


def a_failed_attempt_is_final(patch: pytest.MonkeyPatch) -> None:
    """A payment is FAILED as soon as one attempt has failed."""
    plain = view.status_of

    def status_of(payment: Payment) -> Status:
        is_over = join.terminal(payment.facts) is not None
        return Status.FAILED if join.failures(payment.facts) and not is_over else plain(payment)

    patch.setattr(decision, "status_of", status_of)


def money_withdrawn_is_lost(patch: pytest.MonkeyPatch) -> None:
    """A dispute counts as lost as soon as its money is withdrawn."""
    plain = on_fact.on_dispute_fact

    def on_dispute_fact(payment: Payment, fact: DisputeFact, at: datetime) -> Decision:
        if any(movement.amount > 0 for movement in fact.movements):
            fact = replace(fact, status=DisputeStatus.LOST)
        return plain(payment, fact, at)

    patch.setattr(on_fact, "on_dispute_fact", on_dispute_fact)


def each_report_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """One failed attempt counts three times if three events report it."""

    def slot(fact: PaymentFact) -> tuple[str, str]:
        return fact.status, fact.event_id

    patch.setattr(join, "_slot", slot)
    patch.setattr(join, "_by_name_or_call", lambda failed: [f for f in failed if f.attempt_ref])


def calls_are_repeated(patch: pytest.MonkeyPatch) -> None:
    """The next input repeats provider calls that were made."""
    patch.setattr(decision, "new_calls", lambda payment: tuple(calls.wanted(payment)))


def final_state_changes(patch: pytest.MonkeyPatch) -> None:
    """A later report overwrites a final state."""
    patch.setattr(decision, "is_allowed", lambda _source, _target: True)
    patch.setattr(on_fact, "_terminal_contradiction", lambda _payment, _fact: None)


def known_events_are_new(patch: pytest.MonkeyPatch) -> None:
    """Nothing is a duplicate."""
    patch.setattr(_Fold, "_is_new", lambda _self, _received: True)


def parked_facts_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A fact that came before its payment stays parked forever."""
    patch.setattr(_Fold, "_take_parked", lambda _self, _payment_id: None)


def versions_have_gaps(patch: pytest.MonkeyPatch) -> None:
    """A change of status increases the version by two."""
    plain = decision.changed

    def changed(before: Payment, after: Payment, at: datetime, reason: str) -> Decision:
        decided = plain(before, after, at, reason)
        if decided.payment is None or decided.payment.status is before.status:
            return decided
        return replace(decided, payment=replace(decided.payment, version=before.version + 2))

    patch.setattr(on_fact, "changed", changed)


def a_batch_is_decided_on_its_beginning(patch: pytest.MonkeyPatch) -> None:
    """Each record is decided on the payment's state before the batch."""
    take = _Fold._take

    def decided(self: Any, row: Any) -> None:
        before = self._loaded.payments.get(row.received.payment_id)
        if before is not None:
            self._payments[before.id] = before
        take(self, row)

    patch.setattr(_Fold, "_take", decided)


def redeliveries_are_skipped(patch: pytest.MonkeyPatch) -> None:
    """Records read again after a crash are not published again."""
    known = _Fold._is_new

    def is_new(self: Any, received: Any) -> bool:
        new = known(self, received)
        self._plan.redelivered.clear()
        return new

    patch.setattr(_Fold, "_is_new", is_new)
