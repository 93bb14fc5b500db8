"""A batch's inputs become the rows to write: each with one outcome, in the order they came."""

from domain.status import Outcome
from ports.batch import WriteSet
from tests.support.builders import Log, received
from tests.support.programs.folding import ONE, TWO, folded, outcomes, stored, versions


def test_a_create_and_a_webhook_make_two_versions() -> None:
    """Each version has its event. The plan has the provider call and the last state."""
    log = Log(partition=3)
    create, paid = log.create(ONE), log.webhook(ONE, "succeeded")
    plan = folded(create, paid)
    assert outcomes(plan) == [("payment-commands", "applied"), ("provider-webhooks", "applied")]
    assert versions(plan) == [(1, None, "CREATED"), (2, "CREATED", "SUCCEEDED")]
    assert [v.event_id for v in plan.versions] == [r.received.event_id for r in plan.inbox]
    assert [v.partition for v in plan.versions] == [3, 3]
    assert [row.version for row in plan.inbox] == [1, 2]
    assert [call.key for call in plan.calls] == [f"{ONE}:create"]
    assert plan.payments[ONE].version == 2


def test_the_plan_has_a_known_payment_as_it_was_stored() -> None:
    """However many versions the batch adds: it is written over that version only."""
    log = Log()
    first = folded(log.create(ONE))
    assert first.stored == {}
    second = folded(
        log.webhook(ONE, "processing"), log.webhook(ONE, "succeeded"), known=stored(first)
    )
    assert {p: known.version for p, known in second.stored.items()} == {ONE: 1}
    assert second.payments[ONE].version == 3


def test_a_fact_without_a_visible_change_makes_no_version() -> None:
    """The fact is stored with the payment, which keeps its version."""
    log = Log()
    known = stored(folded(log.create(ONE), log.result(ONE)))
    plan = folded(log.webhook(ONE, "processing"), known=known)
    assert [(str(row.outcome), row.version) for row in plan.inbox] == [("applied", 2)]
    assert plan.versions == []
    assert plan.payments[ONE] != known.payments[ONE]
    assert plan.stored == known.payments


def test_webhooks_before_their_create_are_applied_in_the_same_batch() -> None:
    """They are applied after the create, in the order they came."""
    log = Log()
    plan = folded(log.webhook(ONE, "processing"), log.webhook(ONE, "succeeded"), log.create(ONE))
    assert [str(row.outcome) for row in plan.inbox] == ["applied"] * 3
    assert not any(row.waiting for row in plan.inbox)
    assert versions(plan) == [
        (1, None, "CREATED"),
        (2, "CREATED", "PROCESSING"),
        (3, "PROCESSING", "SUCCEEDED"),
    ]


def test_parked_webhooks_are_applied_when_their_create_comes() -> None:
    """Those of earlier batches are applied before those parked in this batch."""
    log = Log()
    first = folded(log.webhook(ONE, "processing"))
    assert outcomes(first) == [("provider-webhooks", "parked")]
    second = folded(log.webhook(ONE, "succeeded"), log.create(ONE), known=stored(first))
    assert [(str(row.outcome), row.waiting, row.version) for row in second.inbox] == [
        ("applied", False, 3),
        ("applied", False, 1),
        ("applied", True, 2),
    ]


def test_a_parked_record_that_comes_again_with_its_payment_is_applied_once() -> None:
    """In either order, its stored row becomes applied."""
    log = Log()
    early, create = log.webhook(ONE, "succeeded"), log.create(ONE)
    known = stored(folded(early))
    for batch in ((early, create), (create, early)):
        plan = folded(*batch, known=known)
        assert [(str(r.outcome), r.waiting) for r in plan.inbox] == [
            ("applied", False),
            ("applied", True),
        ]
        assert plan.duplicates == []


def test_a_parked_record_that_was_missed_is_applied_when_it_comes_again() -> None:
    """A worker created the payment without knowing of this row. The redelivery applies it."""
    log = Log()
    early, create = log.webhook(ONE, "succeeded"), log.create(ONE)
    known = stored(folded(early), folded(create))
    plan = folded(early, known=known)
    assert [(str(r.outcome), r.waiting, r.version) for r in plan.inbox] == [("applied", True, 2)]


def test_a_second_record_of_an_event_is_a_duplicate() -> None:
    """In the same batch and in a later one, whatever the outcome of the first."""
    log = Log()
    create, paid, early = (
        log.create(ONE),
        log.webhook(ONE, "succeeded"),
        log.webhook(TWO, "processing"),
    )
    again = [log.again(record) for record in (paid, early)]
    first = folded(create, paid, early, *again)
    assert [d.record for d in first.duplicates] == again
    assert len(first.inbox) == 3
    again = [log.again(record) for record in (create, paid, early)]
    second = folded(*again, known=stored(first))
    assert [d.record for d in second.duplicates] == again
    assert second.inbox == []
    assert second.redelivered == set()


def test_the_same_record_twice_in_a_batch_is_one_record() -> None:
    """A rebalance can cause this. It has one outcome, and is no duplicate of itself."""
    log = Log()
    create, early = log.create(ONE), log.webhook(TWO, "processing")
    plan = folded(create, early, create, early)
    assert outcomes(plan) == [("payment-commands", "applied"), ("provider-webhooks", "parked")]
    assert plan.duplicates == []


def test_a_redelivered_record_marks_its_publication() -> None:
    """It adds no row and no duplicate, but its publications are checked again."""
    log = Log()
    create, paid, early = (
        log.create(ONE),
        log.webhook(ONE, "succeeded"),
        log.webhook(TWO, "processing"),
    )
    first = folded(create)
    second = folded(paid, early, known=stored(first))
    plan = folded(create, paid, early, known=stored(first, second))
    assert plan == WriteSet(redelivered={1, 2}, open={received(early).event_id})


def test_an_input_without_effect_makes_no_version() -> None:
    """Its row has no version, and its payment is not written again."""
    log = Log()
    known = stored(folded(log.create(ONE), log.webhook(ONE, "succeeded")))
    plan = folded(log.command(ONE, "cancel"), known=known)
    (row,) = plan.inbox
    assert (row.outcome, row.version) == (Outcome.REJECTED, None)
    assert (plan.payments, plan.stored) == ({}, {})


def test_a_refused_record_twice_in_a_batch_is_one_record() -> None:
    """It has one row under its own event ID, and is no duplicate of itself."""
    log = Log()
    foreign = log.webhook(ONE, "succeeded", currency="usd")
    plan = folded(log.create(ONE), log.result(ONE), foreign, foreign)
    assert [row.outcome for row in plan.inbox][2:] == [Outcome.CONFLICT]
    assert plan.duplicates == []
