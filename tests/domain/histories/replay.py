"""Folds inputs through ``decide`` as the processor does, and checks every step's invariants."""

from collections.abc import Iterable

from msgspec.structs import replace

from domain.decide import decide
from domain.decision import Decision, OperationChange
from domain.inputs import Command, Input
from domain.payment import Payment
from domain.status import OperationStatus, Outcome, Status
from domain.transitions import TRANSITIONS, is_final
from domain.view import snapshot
from tests.domain.histories.builders import PAYMENT
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_EDGES = {(edge.source, edge.target) for edge in TRANSITIONS}
_ACCEPTING = (Outcome.APPLIED, Outcome.STALE)
_FIRST = (OperationStatus.APPLIED, OperationStatus.REJECTED)
_WITH_CODE = (OperationStatus.REJECTED, OperationStatus.REFUSED)


def published_meaning(payment: Payment) -> Meaning:
    """Return the state that a payment publishes, in the oracle's terms."""
    published = snapshot(payment)
    refunds = {
        refund.id: RefundMeaning(refund.status, refund.reversed) for refund in published.refunds
    }
    disputes = {
        dispute.id: DisputeMeaning(
            dispute.status,
            {f.currency: (f.withdrawn, f.reinstated, f.adjusted) for f in dispute.funds},
            dispute.appeal,
            dispute.respond_by,
        )
        for dispute in published.disputes
    }
    assert len(refunds) == len(published.refunds), (
        f"a refund is published twice: {published.refunds}"
    )
    assert len(disputes) == len(published.disputes), (
        f"a dispute is published twice: {published.disputes}"
    )
    return Meaning(
        status=published.status,
        authorized=published.amounts.authorized,
        captured=published.amounts.captured,
        refunded=published.amounts.refunded,
        refunds=refunds,
        disputes=disputes,
        fraud_warnings={each.id: each.actionable for each in published.fraud_warnings},
    )


class Replay:
    """One payment: the inputs that were delivered, their outcomes, and those still parked."""

    def __init__(self, inputs: Iterable[Input] = ()) -> None:
        self.payment: Payment | None = None
        self.accepted: list[Input] = []
        self.transitions: list[tuple[Status | None, Status]] = []
        self.calls: list[str] = []
        #: By the command's event ID: the last change of its operation.
        self.operations: dict[str, OperationChange] = {}
        self._parked: list[Input] = []
        for input_ in inputs:
            self.deliver(input_)

    @property
    def existing(self) -> Payment:
        """The payment, which must exist."""
        assert self.payment is not None, "the payment does not exist"
        return self.payment

    def deliver(self, input_: Input) -> Decision:
        """Decide one input, then the parked inputs that it makes possible."""
        before = self.payment
        decision = decide(before, input_, PAYMENT)
        assert_invariants(before, decision)
        self._apply(decision)
        self._answer(input_, decision)
        if decision.outcome is Outcome.PARKED:
            self._parked.append(input_)
        elif decision.outcome in _ACCEPTING:
            self.accepted.append(input_)
        if self.payment is not None and (before is None or _waits(before) - _waits(self.payment)):
            parked, self._parked = self._parked, []
            for waiting in parked:
                self.deliver(waiting)
        return decision

    @property
    def parked(self) -> tuple[Input, ...]:
        """The inputs that wait."""
        return tuple(self._parked)

    def deliver_again(self, input_: Input) -> None:
        """Decide an input that was accepted before: nothing may change."""
        before = self.payment
        decision = decide(before, input_, PAYMENT)
        assert decision.payment == before, f"a redelivery of {input_.event_id} changed the payment"
        assert not decision.provider_calls

    def _answer(self, input_: Input, decision: Decision) -> None:
        """Assert that each command has an answer, which never changes once it is final."""
        for change in decision.operations:
            known = self.operations.get(change.event_id)
            if known is not None and known.status is OperationStatus.REJECTED:
                known = None  # the inbox drops a repetition; here it is decided again
            assert (known is None) == (change.status in _FIRST), f"{known}, then {change}"
            assert known is None or known.status is OperationStatus.APPLIED, f"{known}, {change}"
            assert change.reason
            assert (change.code is not None) == (change.status in _WITH_CODE)
            self.operations[change.event_id] = change
        if isinstance(input_.body, Command):
            assert input_.event_id in self.operations, f"{input_.event_id} has no answer"
        if self.payment is not None:
            applied = {
                event_id
                for event_id, change in self.operations.items()
                if change.status is OperationStatus.APPLIED
            }
            assert self.payment.open_operations.keys() == applied

    def _apply(self, decision: Decision) -> None:
        keys = [call.key for call in decision.provider_calls]
        assert set(keys).isdisjoint(self.calls), f"decided twice: {keys}"
        assert len(set(keys)) == len(keys), f"decided twice at once: {keys}"
        self.calls += keys
        before, self.payment = self.payment, decision.payment
        if self.payment is not None:
            assert self.payment.calls == frozenset(self.calls)
            source = before.status if before is not None else None
            if source is not self.payment.status:
                self.transitions.append((source, self.payment.status))


def _waits(payment: Payment) -> frozenset[str]:
    """What inputs of the payment may wait for."""
    last_cancel = f"{payment.id}:cancel:exhausted"
    waits = {"object"} if payment.object_id is None and payment.create_refusal is None else set()
    if last_cancel in payment.calls and last_cancel not in payment.finished_calls:
        waits.add("answer")
    return frozenset(waits)


def assert_invariants(before: Payment | None, decision: Decision) -> None:
    """Assert what holds for every decision."""
    after = decision.payment
    assert decision.reason, "an outcome has no reason"
    if decision.outcome not in _ACCEPTING:
        assert after == before, f"{decision.outcome} changed the payment"
        assert not decision.provider_calls
    if after is None:
        return
    if is_final(after.status):
        assert {call.operation for call in decision.provider_calls} <= {"refund"}
    amounts = snapshot(after).amounts
    assert 0 <= amounts.refunded <= amounts.captured <= amounts.authorized
    if before is None:
        assert (after.version, after.status) == (1, Status.CREATED)
        return
    published = replace(snapshot(after), version=before.version, updated_at=before.updated_at)
    assert after.version == before.version + (published != snapshot(before))
    assert after.updated_at >= before.updated_at
    if after.status is not before.status:
        assert not is_final(before.status)
        assert (before.status, after.status) in _EDGES
