"""Checks that every way in which the log may deliver one step leads to the same node.

``fold`` decides record by record. A decision depends on the payment's state, on which payment owns
which object, and on what is known about the record's event ID. So it is enough to try each way once
at each step, after one path that leads there: every other path to the same node behaves alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_plan

from msgspec.structs import replace

from decisions.fold import fold
from domain.status import Outcome
from ports.batch import InboxEntry, WriteSet
from ports.records import DecodedInput
from tests.checker.space.node import Node
from tests.checker.space.script import CREATE, Script
from tests.checker.space.store import PUBLICATION, Store, with_parked


@dataclass(frozen=True)
class Step:
    """An input that was delivered at a node, and the node it led to."""

    source: Node
    number: int
    target: Node
    plan: WriteSet


def check_repeats(store: Store, script: Script, node: Node) -> None:
    """Check that every delivered input may come again, in the same record or another."""
    again = [script.first[n] for n in sorted(node.delivered)]
    others = [script.second[n] for n in sorted(node.delivered - node.refused)]
    plan, target = store.batch(node, [*again, *others])
    assert target == node, "an input that came again changed the payment"
    _, target = store.batch(node, [script.second[n] for n in sorted(node.refused)])
    assert target == node, "a refused input is accepted from another record with the same event ID"
    _check_only_duplicates(plan, others, {PUBLICATION} if node.accepted else set())


def _check_only_duplicates(
    plan: WriteSet, others: Sequence[DecodedInput], looked_at: set[int]
) -> None:
    """Check that known inputs only add duplicates of other records, and look at publications."""
    for row in plan.inbox:
        still_waits = row.waiting and row.outcome is Outcome.PARKED
        assert still_waits, f"an input that came again was decided again: {row.received.event_id}"
    assert plan.redelivered == looked_at, "a publication was not looked at"
    rest = replace_plan(plan, inbox=[], urgent=set(), open=set(), resolved={})
    assert rest == WriteSet(duplicates=list(others), redelivered=looked_at)


def check_crash(store: Store, script: Script, step: Step) -> None:
    """Check that a crash between commit and acknowledgement repeats work and changes nothing.

    The record comes again. If it created a version, its publication is looked at, because it may
    not have been published.
    """
    first, second = script.first[step.number], script.second[step.number]
    (row,) = (row for row in step.plan.inbox if row.received is first)
    publication = PUBLICATION if step.plan.versions and row.version is not None else None
    loaded = store.loaded(step.target)
    written = InboxEntry(first.record.position, row.outcome, publication)
    loaded = replace(loaded, known={**loaded.known, row.event_id: written})
    looked_at = {publication} if publication is not None else set()
    others = [] if row.apart else [second]
    _check_only_duplicates(fold(loaded, [first, *others]), others, looked_at)


def check_among_repeats(store: Store, script: Script, step: Step) -> None:
    """Check a batch that has every input again, and the new input in two records, one twice."""
    again = [script.first[n] for n in sorted(step.source.delivered)]
    others = [script.second[n] for n in sorted(step.source.delivered - step.target.refused)]
    new, another = script.first[step.number], script.second[step.number]
    plan, target = store.batch(step.source, [*others, *again, new, another, new, *again])
    assert target == step.target, "among repeats the input led elsewhere"
    refused = step.number in step.target.refused
    assert plan.duplicates == [*others, *([] if refused else [another])]


def check_two_in_one_batch(store: Store, script: Script, before: Step, step: Step) -> None:
    """Check that two inputs have the same effect in one batch as in two."""
    batch = [script.first[before.number], script.first[step.number]]
    _, target = store.batch(before.source, batch)
    assert target == step.target, "in one batch with the one before it, the input led elsewhere"


def check_parked_by_another_worker(store: Store, script: Script, step: Step) -> None:
    """Check that an input is applied when it comes again, after another worker parked it.

    A worker that lost its partition may park it without knowing that the payment is here.
    """
    source = with_parked(step.source, step.number)
    plan, target = store.batch(source, [script.first[step.number]])
    assert target == step.target, (
        "parked by another worker and delivered again, the input led elsewhere"
    )
    assert plan.inbox
    assert all(row.waiting for row in plan.inbox)


def check_before_create(store: Store, script: Script, path: Sequence[int], target: Node) -> None:
    """Check that facts have the same effect before the create as after it.

    ``path`` has their order. All are parked first, or all are in the create's batch, or half each.
    """
    facts = [n for n in path if n != CREATE]
    for cut in {0, len(facts) // 2, len(facts)}:
        waiting, with_create = facts[:cut], facts[cut:]
        source = Node(waiting=frozenset(waiting))
        batch = [script.first[n] for n in (*with_create, CREATE)]
        _, reached = store.batch(source, batch, waiting)
        assert reached == target, (
            f"with {cut} of the facts before the create's batch, the path led elsewhere"
        )


def check_in_one_batch(store: Store, script: Script, path: Sequence[int], target: Node) -> None:
    """Check that a whole path leads to the same node in one batch as step by step."""
    _, reached = store.batch(Node(), [script.first[n] for n in path])
    assert reached == target, "in one batch, the whole path led elsewhere"
