"""Visits every state that a history can lead to, and checks each against the rules.

It visits the nearest states first, so it finds a violation by the shortest path to it.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from traceback import extract_tb

from domain.decision import Decision
from domain.inputs import PaymentFact
from domain.payment import Payment
from domain.status import Outcome, ProviderStatus, Status
from domain.transitions import is_final
from domain.view import refundable, snapshot
from tests.checker.space import grouping
from tests.checker.space.calls import check_calls
from tests.checker.space.grouping import Step
from tests.checker.space.moves import next_inputs
from tests.checker.space.node import Node, Payments
from tests.checker.space.script import CREATE, Script, script_of
from tests.checker.space.store import Store
from tests.domain.histories.builders import PAYMENT
from tests.domain.histories.history import History
from tests.domain.histories.replay import assert_invariants, published_meaning
from tests.oracle import Meaning, cancel_is_requested, left_to_refund, meaning_of


class DisagreementError(Exception):
    """A rule is violated: which one, and the inputs that lead there, in their order."""

    def __init__(self, script: Script, path: tuple[int, ...], what: str) -> None:
        super().__init__(what)
        self.script = script
        self.path = path
        self.what = what


@dataclass
class Found:
    """The states of one history, and the steps between them."""

    script: Script
    payments: Payments
    #: By node: the inputs that lead on from it, and their targets. Empty: the history ends there.
    steps: dict[Node, list[tuple[int, Node]]] = field(default_factory=dict)
    outcomes: set[Outcome] = field(default_factory=set)
    transitions: set[tuple[Status | None, Status]] = field(default_factory=set)
    #: Every end that was reached.
    ends: list[Meaning] = field(default_factory=list)

    @property
    def reached(self) -> dict[str, Payment]:
        """Every payment that was reached, by its document."""
        documents = dict.fromkeys(node.document for node in self.steps if node.document)
        return {document: self.payments[document] for document in documents}


def search(history: History) -> Found:
    """Visit every state of a history. Raises DisagreementError at the first violation."""
    return _Search(script_of(history)).run()


class _Search:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._payments = Payments()
        self._store = Store(script, self._payments)
        self._found = Found(script, self._payments)
        #: By node: the step that led to it first; None for the first node.
        self._reached_by: dict[Node, Step | None] = {Node(): None}
        self._meanings: dict[tuple[int, ...], Meaning] = {}

    def run(self) -> Found:
        queue = deque(self._reached_by)
        while queue:
            node = queue.popleft()
            with self._with_path(node):
                self._check_node(node)
            steps = self._found.steps[node] = []
            payment = self._payments[node.document] if node.document else None
            for number in next_inputs(self._script, node, payment):
                with self._with_path(node, number):
                    step = self._step(node, number)
                if step is None:
                    continue
                steps.append((number, step.target))
                if step.target not in self._reached_by:
                    self._reached_by[step.target] = step
                    queue.append(step.target)
            if not steps:
                with self._with_path(node):
                    self._check_end(node)
        with self._with_path(Node()):
            for end in self._script.history.ends:
                assert end in self._found.ends, f"no order ends as {end}"
        return self._found

    def _step(self, source: Node, number: int) -> Step | None:
        """Deliver an input in every possible way; None for a command that was rejected."""
        plan, target = self._store.batch(source, [self._script.first[number]])
        step = Step(source, number, target, plan)
        self._check_step(step)
        grouping.check_crash(self._store, self._script, step)
        if target == source:
            assert plan.inbox[0].outcome is Outcome.REJECTED, "neither rejected nor applied"
            return None
        grouping.check_among_repeats(self._store, self._script, step)
        before = self._reached_by[source]
        if before is not None:
            grouping.check_two_in_one_batch(self._store, self._script, before, step)
        if number != CREATE and source.document and number not in target.waiting:
            grouping.check_parked_by_another_worker(self._store, self._script, step)
        path = (*self._path(source), number)
        if target.document and set(path) <= self._script.independent:
            grouping.check_before_create(self._store, self._script, path, target)
        return step

    def _check_step(self, step: Step) -> None:
        """Check one decision against what holds for every decision."""
        self._found.outcomes.update(row.outcome for row in step.plan.inbox)
        if len(step.plan.inbox) > 1:
            return  # the create and inputs that waited for it: each is a step on another path
        (row,) = step.plan.inbox
        before = self._payments[step.source.document] if step.source.document else None
        after = step.plan.payments.get(PAYMENT, before)
        stored = [(v.previous_status, v.payment.status) for v in step.plan.versions]
        if step.plan.versions and after is not None:
            assert stored == [(before.status if before is not None else None, after.status)]
        self._found.transitions.update((old, new) for old, new in stored if old is not new)
        decision = Decision(
            outcome=row.outcome,
            reason=row.reason,
            payment=after,
            provider_calls=tuple(step.plan.calls),
        )
        assert_invariants(before, decision)

    def _check_node(self, node: Node) -> None:
        grouping.check_repeats(self._store, self._script, node)
        if not node.document:
            return
        payment = self._payments[node.document]
        if node.waiting:
            self._check_waiting(node, payment)
        check_calls(payment, [self._script.first[n].input.body for n in sorted(node.accepted)])
        published = published_meaning(payment)
        meant = self._meaning(node)
        assert published == meant, f"the payment is {published}, the oracle has {meant}"
        taken_in = [self._script.first[n].input for n in self._taken_in(node)]
        left = left_to_refund(PAYMENT, taken_in)
        assert refundable(payment) == left, f"{refundable(payment)} is left, not {left}"
        is_requested = cancel_is_requested(PAYMENT, taken_in)
        assert snapshot(payment).cancel_requested is is_requested, "whether a cancel is requested"

    def _check_waiting(self, node: Node, payment: Payment) -> None:
        """Check that inputs which wait for the payment's object have no effect."""
        if payment.object_id is not None:
            self._check_waiting_for_answer(node, payment)
            return
        assert payment.create_refusal is None, "an input waits, but there will be no object"
        assert not is_final(payment.status), "the payment is final, but no object is proved"
        delivered = [self._script.first[n].input for n in sorted(node.accepted | node.waiting)]
        meant = meaning_of(PAYMENT, delivered)
        assert meant == self._meaning(node), f"the inputs that wait would make it {meant}"

    def _check_waiting_for_answer(self, node: Node, payment: Payment) -> None:
        """Check that only a cancel which does not say what caused it waits for our own's answer."""
        last_cancel = f"{PAYMENT}:cancel:exhausted"
        assert last_cancel in payment.calls - payment.finished_calls, "an input waits for nothing"
        for number in node.waiting:
            body = self._script.first[number].input.body
            assert isinstance(body, PaymentFact), "another input than a cancel waits"
            assert body.status is ProviderStatus.CANCELED, "another input than a cancel waits"
            assert body.caused_by is None, "a cancel waits that names its cause"
            assert not body.names_cause, "a cancel waits that names its cause"

    def _check_end(self, node: Node) -> None:
        ends = self._script.history.ends
        meant = self._meaning(node)
        assert meant in ends, f"it ends as {meant}, not as {' or '.join(map(str, ends))}"
        if meant not in self._found.ends:
            self._found.ends.append(meant)
        grouping.check_in_one_batch(self._store, self._script, self._path(node), node)

    def _meaning(self, node: Node) -> Meaning:
        """The oracle's state for the accepted inputs."""
        numbers = self._taken_in(node)
        meaning = self._meanings.get(numbers)
        if meaning is None:
            inputs = [self._script.first[n].input for n in numbers]
            meaning = self._meanings[numbers] = meaning_of(PAYMENT, inputs)
        return meaning

    def _taken_in(self, node: Node) -> tuple[int, ...]:
        """The accepted inputs in the order of the first path; every other path means the same.

        A confirm follows the failures before it, and a refund of all the refunds before it.
        """
        return tuple(dict.fromkeys([CREATE, *(n for n in self._path(node) if n in node.accepted)]))

    def _path(self, node: Node) -> tuple[int, ...]:
        """The inputs of the first path to a node, in their order."""
        path = []
        step = self._reached_by[node]
        while step is not None:
            path.append(step.number)
            step = self._reached_by[step.source]
        return tuple(reversed(path))

    @contextmanager
    def _with_path(self, node: Node, number: int | None = None) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            path = self._path(node)
            path = path if number is None else (*path, number)
            what = str(error) or str(extract_tb(error.__traceback__)[-1].line)
            raise DisagreementError(self._script, path, what) from error
