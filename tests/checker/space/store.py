"""A fake of Postgres: what it knows at a node, and the node that a plan leads to.

It checks what the tables' constraints check: an event ID once, dense versions, a call's key once,
the version read under the lock, one outcome per record.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from decisions.fold import fold
from domain.inputs import Confirm, PaymentFact
from domain.status import Outcome, ProviderStatus
from ports.batch import InboxEntry, ReadSet, WriteSet
from ports.records import DecodedInput, refusal_id
from tests.checker.space.node import Node, Payments, document_of
from tests.checker.space.script import Script
from tests.domain.histories.builders import PAYMENT, PROVIDER

#: The ID of every publication: the IDs make no difference.
PUBLICATION = 1
#: An object that another payment owns.
_OWNED_ELSEWHERE = {(PROVIDER, "obj_of_another"): "pay_another"}
_ACCEPTING = frozenset({Outcome.APPLIED, Outcome.STALE})


class Store:
    """What Postgres knows about one script's payment, by node."""

    def __init__(self, script: Script, payments: Payments) -> None:
        self._script = script
        self._payments = payments
        self._numbers = {received.event_id: n for n, received in enumerate(script.first)}
        positions = [received.record.position for received in script.first]
        self._parked = [InboxEntry(position, Outcome.PARKED, None) for position in positions]
        self._accepted = [
            InboxEntry(position, Outcome.APPLIED, PUBLICATION) for position in positions
        ]
        self._without_effect = [
            InboxEntry(position, Outcome.CONFLICT, None) for position in positions
        ]

    def loaded(self, node: Node, waiting: Sequence[int] = ()) -> ReadSet:
        """The read set at a node; ``waiting`` gives the order of parked inputs if it matters."""
        first = self._script.first
        known = {first[n].event_id: self._accepted[n] for n in node.accepted}
        known |= {
            first[n].event_id: self._without_effect[n] for n in node.without_effect - node.refused
        }
        known |= {refusal_id(first[n]): self._without_effect[n] for n in node.refused}
        known |= {first[n].event_id: self._parked[n] for n in node.waiting}
        payments, owners = {}, dict(_OWNED_ELSEWHERE)
        if node.document:
            payment = payments[PAYMENT] = self._payments[node.document]
            if payment.object_id is not None:
                owners[PROVIDER, payment.object_id] = PAYMENT
        parked = tuple(first[n] for n in waiting or sorted(node.waiting))
        return ReadSet(
            payments=payments,
            known=known,
            quarantined=frozenset(),
            parked={PAYMENT: parked},
            owners=owners,
        )

    def batch(
        self, node: Node, batch: Sequence[DecodedInput], waiting: Sequence[int] = ()
    ) -> tuple[WriteSet, Node]:
        """Fold a batch at a node. Returns the plan and the node that it leads to."""
        loaded = self.loaded(node, waiting)
        plan = fold(loaded, batch)
        _one_outcome_per_record(loaded, batch, plan)
        _payment_guards(loaded, plan)
        return plan, self._written(node, plan)

    def _written(self, node: Node, plan: WriteSet) -> Node:
        waiting, accepted, without_effect = (
            set(node.waiting),
            set(node.accepted),
            set(node.without_effect),
        )
        refused = set(node.refused)
        failures_before = list(node.failures_before)
        for row in plan.inbox:
            number = self._numbers[row.received.event_id]
            waiting.discard(number)
            if row.outcome is Outcome.PARKED:
                waiting.add(number)
            elif row.outcome in _ACCEPTING:
                if isinstance(row.received.input.body, Confirm):
                    failures_before.append(frozenset(filter(self._is_failure, accepted)))
                accepted.add(number)
            elif row.outcome is not Outcome.REJECTED:
                without_effect.add(number)
                if row.apart:
                    refused.add(number)
        after = plan.payments.get(PAYMENT)
        return Node(
            node.document if after is None else document_of(after),
            frozenset(waiting),
            frozenset(accepted),
            frozenset(without_effect),
            frozenset(refused),
            tuple(failures_before),
        )

    def _is_failure(self, number: int) -> bool:
        body = self._script.first[number].input.body
        return isinstance(body, PaymentFact) and body.status is ProviderStatus.ATTEMPT_FAILED


def _one_outcome_per_record(loaded: ReadSet, batch: Sequence[DecodedInput], plan: WriteSet) -> None:
    outcomes = Counter(known.position for known in loaded.known.values())
    outcomes.update(row.received.record.position for row in plan.inbox if not row.waiting)
    outcomes.update({received.record.position for received in plan.duplicates})
    for received in batch:
        count = outcomes[received.record.position]
        assert count == 1, f"the record of {received.event_id} has {count} outcomes"
    rows = Counter(row.event_id for row in plan.inbox)
    for row in plan.inbox:
        assert rows[row.event_id] == 1, f"{row.event_id} is written twice in one batch"
        event_id = row.received.event_id if row.waiting else row.event_id
        known = loaded.known.get(event_id)
        was_parked = known is not None and known.outcome is Outcome.PARKED
        assert row.waiting == was_parked, f"{event_id} is written again"
        assert known is None or was_parked, f"{event_id} was decided before"
    assert not plan.quarantines, f"our own code failed: {plan.quarantines}"


def _payment_guards(loaded: ReadSet, plan: WriteSet) -> None:
    before, after = loaded.payments.get(PAYMENT), plan.payments.get(PAYMENT)
    if after is None:
        assert not plan.versions, "a version is written, but no payment"
        assert not plan.calls, "a call is written, but no payment"
        return
    assert plan.stored.get(PAYMENT) == before
    version = before.version if before is not None else 0
    status = before.status if before is not None else None
    for row in plan.versions:
        version += 1
        assert (row.payment.version, row.previous_status) == (version, status)
        status = row.payment.status
    assert (after.version, after.status) == (version, status), "the last version is not the payment"
    keys = Counter(call.key for call in plan.calls)
    assert keys.total() == len(keys), f"decided twice at once: {keys}"
    known = before.calls if before is not None else frozenset()
    assert known.isdisjoint(keys), f"decided twice: {known & keys.keys()}"
    assert after.calls == known | keys.keys()


def with_parked(node: Node, number: int) -> Node:
    """The node after another worker parked an input without knowing that the payment exists."""
    return replace(node, waiting=node.waiting | {number})
