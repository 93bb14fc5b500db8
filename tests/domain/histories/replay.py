"""Folds inputs through ``decide`` as the processor does, and holds every step to the invariants."""

from collections.abc import Iterable

from msgspec.structs import replace

from domain.decide import decide
from domain.decision import Decision
from domain.inputs import Input
from domain.payment import Payment
from domain.status import Outcome, Status
from domain.transitions import TRANSITIONS, is_final
from domain.view import snapshot
from tests.domain.histories.builders import PAYMENT
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_EDGES = {(edge.source, edge.target) for edge in TRANSITIONS}
_TAKES_IN = (Outcome.APPLIED, Outcome.STALE)


def published_meaning(payment: Payment) -> Meaning:
    """Return the end state a payment publishes, in the oracle's terms."""
    seen = snapshot(payment)
    refunds = {refund.id: RefundMeaning(refund.status, refund.reversed) for refund in seen.refunds}
    disputes = {
        dispute.id: DisputeMeaning(
            dispute.status, dispute.funds_withdrawn, dispute.funds_reinstated
        )
        for dispute in seen.disputes
    }
    assert len(refunds) == len(seen.refunds), f"a refund stands there twice: {seen.refunds}"
    assert len(disputes) == len(seen.disputes), f"a dispute stands there twice: {seen.disputes}"
    return Meaning(
        status=seen.status,
        authorized=seen.amounts.authorized,
        captured=seen.amounts.captured,
        refunded=seen.amounts.refunded,
        refunds=refunds,
        disputes=disputes,
    )


class Replay:
    """One payment's life: what was delivered, what became of it, and what was parked meanwhile."""

    def __init__(self, inputs: Iterable[Input] = ()) -> None:
        self.payment: Payment | None = None
        self.taken_in: list[Input] = []
        self.transitions: list[tuple[Status | None, Status]] = []
        self.calls: list[str] = []
        self._parked: list[Input] = []
        for input_ in inputs:
            self.deliver(input_)

    @property
    def existing(self) -> Payment:
        """The payment, which is expected to have come to be."""
        assert self.payment is not None, "the payment never came to be"
        return self.payment

    def deliver(self, input_: Input) -> Decision:
        """Decide one input; once what others waited for is known, they are decided too."""
        before = self.payment
        decision = decide(before, input_, PAYMENT)
        hold_to_invariants(before, decision)
        self._remember(decision)
        if decision.outcome is Outcome.PARKED:
            self._parked.append(input_)
        elif decision.outcome in _TAKES_IN:
            self.taken_in.append(input_)
        if self.payment is not None and (
            before is None or (_awaits_object(before) and not _awaits_object(self.payment))
        ):
            parked, self._parked = self._parked, []
            for waiting in parked:
                self.deliver(waiting)
        return decision

    @property
    def parked(self) -> tuple[Input, ...]:
        """What waits."""
        return tuple(self._parked)

    def deliver_again(self, input_: Input) -> None:
        """Decide an input that was taken in before: whatever the word for it, nothing changes."""
        before = self.payment
        decision = decide(before, input_, PAYMENT)
        assert decision.payment == before, f"a redelivery of {input_.event_id} changed the payment"
        assert not decision.provider_calls

    def _remember(self, decision: Decision) -> None:
        keys = [call.key for call in decision.provider_calls]
        assert set(keys).isdisjoint(self.calls), f"asked for twice: {keys}"
        assert len(set(keys)) == len(keys), f"asked for twice at once: {keys}"
        self.calls += keys
        before, self.payment = self.payment, decision.payment
        if self.payment is not None:
            assert self.payment.calls == frozenset(self.calls)
            source = before.status if before is not None else None
            if source is not self.payment.status:
                self.transitions.append((source, self.payment.status))


def _awaits_object(payment: Payment) -> bool:
    return payment.object_id is None and payment.create_refusal is None


def hold_to_invariants(before: Payment | None, decision: Decision) -> None:
    """Assert what holds for every decision, whatever it was about."""
    after = decision.payment
    assert decision.reason, "every outcome says why"
    if decision.outcome not in _TAKES_IN:
        assert after == before, f"{decision.outcome} changed the payment"
        assert not decision.provider_calls
    if after is None:
        return
    if is_final(after.status):
        assert {call.operation for call in decision.provider_calls} <= {"refund"}
    amounts = snapshot(after).amounts
    assert 0 <= amounts.refunded <= amounts.captured <= amounts.authorized <= after.amount
    if before is None:
        assert (after.version, after.status) == (1, Status.CREATED)
        return
    published = replace(snapshot(after), version=before.version, updated_at=before.updated_at)
    assert after.version == before.version + (published != snapshot(before))
    assert after.updated_at >= before.updated_at
    if after.status is not before.status:
        assert not is_final(before.status)
        assert (before.status, after.status) in _EDGES
