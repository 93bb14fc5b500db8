"""One step, delivered in every way the log may bring it: each must lead to the same node.

``fold`` decides record by record: what it answers to one depends on the payment as it stands, on
who owns which object and on what is known of the record's event ID. So it is enough to try each
way at each step once, behind one path that leads there; what is true of that path is true of every
other that leads to the same node.
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
    """An input that came at a node, and where that led."""

    source: Node
    number: int
    target: Node
    plan: WriteSet


def repeated(store: Store, script: Script, node: Node) -> None:
    """Hold that all that has come may come again, in the same records and in others."""
    again = [script.first[n] for n in sorted(node.delivered)]
    others = [script.second[n] for n in sorted(node.delivered - node.refused)]
    plan, target = store.batch(node, [*again, *others])
    assert target == node, "what came again changed the payment"
    _, target = store.batch(node, [script.second[n] for n in sorted(node.refused)])
    assert target == node, "what was refused is believed from another record that says the same"
    _only_noted(plan, others, {PUBLICATION} if node.taken else set())


def _only_noted(plan: WriteSet, others: Sequence[DecodedInput], looked_at: set[int]) -> None:
    """Hold that of known inputs only other records are noted, and publications looked at."""
    for row in plan.inbox:
        still_waits = row.waiting and row.outcome is Outcome.PARKED
        assert still_waits, f"what came again was decided again: {row.received.event_id}"
    assert plan.redelivered == looked_at, "what may not be published was not looked at"
    noted = replace_plan(plan, inbox=[], urgent=set(), open=set(), resolved={})
    assert noted == WriteSet(duplicates=list(others), redelivered=looked_at)


def crashed(store: Store, script: Script, step: Step) -> None:
    """Hold that a crash between commit and acknowledgement repeats work and changes nothing.

    The record comes again. If it brought a version, its publication is looked at: it may not have
    been published.
    """
    first, second = script.first[step.number], script.second[step.number]
    (row,) = (row for row in step.plan.inbox if row.received is first)
    publication = PUBLICATION if step.plan.versions and row.version is not None else None
    loaded = store.loaded(step.target)
    written = InboxEntry(first.record.position, row.outcome, publication)
    loaded = replace(loaded, known={**loaded.known, row.event_id: written})
    looked_at = {publication} if publication is not None else set()
    others = [] if row.refused else [second]
    _only_noted(fold(loaded, [first, *others]), others, looked_at)


def among_repeats(store: Store, script: Script, step: Step) -> None:
    """Hold that a batch may hold everything again and the new input in two records, one twice."""
    again = [script.first[n] for n in sorted(step.source.delivered)]
    others = [script.second[n] for n in sorted(step.source.delivered - step.target.refused)]
    new, another = script.first[step.number], script.second[step.number]
    plan, target = store.batch(step.source, [*others, *again, new, another, new, *again])
    assert target == step.target, "among repeats it led elsewhere"
    refused = step.number in step.target.refused
    assert plan.duplicates == [*others, *([] if refused else [another])]


def together(store: Store, script: Script, before: Step, step: Step) -> None:
    """Hold that two inputs in one batch do what they do in two."""
    batch = [script.first[before.number], script.first[step.number]]
    _, target = store.batch(before.source, batch)
    assert target == step.target, "in one batch with the input before it led elsewhere"


def missed(store: Store, script: Script, step: Step) -> None:
    """Hold that an input is applied when it comes again, though it was parked without need.

    A worker that lost its partition may park it without knowing that the payment is here.
    """
    source = with_parked(step.source, step.number)
    plan, target = store.batch(source, [script.first[step.number]])
    assert target == step.target, "parked by another worker and delivered again it led elsewhere"
    assert plan.inbox
    assert all(row.waiting for row in plan.inbox)


def early(store: Store, script: Script, path: Sequence[int], target: Node) -> None:
    """Hold that facts lead where they do behind the create if they come before it.

    ``path`` has their order. All parked before, all in one batch with the create, half and half.
    """
    facts = [n for n in path if n != CREATE]
    for cut in {0, len(facts) // 2, len(facts)}:
        waiting, beside = facts[:cut], facts[cut:]
        source = Node(waiting=frozenset(waiting))
        batch = [script.first[n] for n in (*beside, CREATE)]
        _, reached = store.batch(source, batch, waiting)
        assert reached == target, (
            f"with {cut} of the facts before the batch of the create it led elsewhere"
        )


def at_once(store: Store, script: Script, path: Sequence[int], target: Node) -> None:
    """Hold that a whole path in one batch leads where it does step by step."""
    _, reached = store.batch(Node(), [script.first[n] for n in path])
    assert reached == target, "in one batch the whole path led elsewhere"
