"""A release in the fold: the quarantine ends, and what waited is processed in its order."""

import pytest
from msgspec.structs import replace

from decisions import fold as folding
from decisions.fold import fold
from domain import decide as deciding
from domain.decision import Decision
from domain.inputs import Input
from domain.payment import Payment
from domain.status import Outcome
from ports.batch import ReadSet, WriteSet
from ports.records import ConsumedRecord
from tests.support.builders import Log, object_of, received
from tests.support.programs.folding import ONE, TWO, failing, folded, stored


def _quarantined(
    log: Log, patch: pytest.MonkeyPatch, *, on: str = "evt_bad"
) -> tuple[ReadSet, WriteSet]:
    """ONE is created, quarantined on its second input, and its success waits."""
    with patch.context() as defect:
        failing(defect, ONE, [on])
        plan = folded(
            log.create(ONE),
            log.webhook(ONE, "processing", "evt_bad"),
            log.webhook(ONE, "succeeded", "evt_good"),
        )
    return stored(plan), plan


def _told(plan: WriteSet) -> list[tuple[str, str, bool]]:
    """Event ID, outcome and whether it had waited, in the order of decisions."""
    rows = sorted(plan.inbox, key=lambda row: row.ordinal)
    return [(row.received.event_id, str(row.outcome), row.waiting) for row in rows]


def test_what_waited_is_taken_up_as_if_nothing_had_been(monkeypatch: pytest.MonkeyPatch) -> None:
    """The payment, its versions and its calls are those of a payment that was never quarantined."""
    log = Log()
    known, first = _quarantined(log, monkeypatch)
    release = log.release(ONE)
    plan = folded(release, log.create(TWO), known=known)
    rel = received(release).event_id
    assert _told(plan)[:3] == [
        (rel, "applied", False),
        ("evt_bad", "applied", True),
        ("evt_good", "applied", True),
    ]
    assert plan.inbox[0].reason == "the payment was released; inputs taken up: 2"
    assert (plan.released, plan.quarantines) == ({ONE}, {})
    never = folded(*(row.received.record for row in first.inbox))
    assert plan.payments[ONE] == never.payments[ONE]
    assert [*first.versions, *(v for v in plan.versions if v.payment.id == ONE)] == never.versions


def test_a_release_says_the_version_it_led_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a redelivery of it after a crash knows what had to be published."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    plan = folded(log.release(ONE), known=known)
    assert plan.inbox[0].version == plan.payments[ONE].version == 3


def test_a_release_while_we_still_fail_quarantines_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new quarantine in the same transaction, for the same input; the rest is parked."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    failing(monkeypatch, ONE, ["evt_bad"])
    plan = folded(log.release(ONE), known=known)
    assert [outcome for _, outcome, _ in _told(plan)] == ["applied", "quarantined", "parked"]
    assert plan.inbox[0].reason.endswith("inputs taken up: 2, and it is quarantined again")
    assert plan.inbox[0].version is None
    assert plan.released == {ONE}
    assert plan.quarantines == {ONE: ("evt_bad", "ZeroDivisionError: a defect")}
    assert plan.payments == {}


def test_a_release_takes_up_what_came_in_its_own_batch_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After what has waited for longer; what comes after it in the batch is simply decided."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    before = log.command(ONE, "refund")
    after = log.command(ONE, "cancel")
    plan = folded(before, log.release(ONE), after, known=known)
    assert [(event, outcome) for event, outcome, _ in _told(plan)][1:] == [
        ("evt_bad", "applied"),
        ("evt_good", "applied"),
        (received(before).event_id, "applied"),
        (received(after).event_id, "rejected"),
    ]


def test_a_quarantine_and_its_release_in_one_batch_leave_no_quarantine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A defect that has passed by then: nothing is quarantined, and all is taken up."""
    log, fails_on = Log(), ["evt_bad"]

    def fails_once(before: Payment | None, input_: Input, its_id: str) -> Decision:
        if input_.event_id in fails_on:
            fails_on.clear()
            raise ZeroDivisionError("a defect")
        return deciding.decide(before, input_, its_id)

    monkeypatch.setattr(folding, "decide", fails_once)
    bad = log.webhook(ONE, "processing", "evt_bad")
    plan = folded(log.create(ONE), bad, log.release(ONE), log.webhook(ONE, "succeeded", "evt_good"))
    assert (plan.quarantines, plan.released) == ({}, set())
    assert [outcome for _, outcome, _ in _told(plan)] == ["applied"] * 4


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_redelivered_record_is_taken_up_once(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A record that waits and comes again beside its release is one input."""
    log = Log()
    known, first = _quarantined(log, monkeypatch)
    waiting = first.inbox[2].received.record
    release = log.release(ONE)
    batch = (waiting, release) if where == "before" else (release, waiting)
    plan = folded(*batch, known=known)
    assert [event for event, *_ in _told(plan)].count("evt_good") == 1
    assert plan.duplicates == []


def test_a_create_we_failed_on_is_taken_up_with_what_came_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What waited for the payment waits until its create is taken up, then follows it."""
    log = Log()
    early, create, paid = (
        log.webhook(ONE, "processing"), log.create(ONE), log.webhook(ONE, "succeeded"),
    )  # fmt: skip
    with monkeypatch.context() as defect:
        failing(defect, ONE, [received(create).event_id])
        known = stored(folded(early, create, paid))
    plan = folded(log.release(ONE), known=known)
    assert {str(row.outcome) for row in plan.inbox} == {"applied"}
    order = [event for event, *_ in _told(plan)][1:]
    assert order == [received(record).event_id for record in (create, early, paid)]
    assert [v.payment.version for v in plan.versions] == [1, 2, 3]


def test_a_second_release_is_a_duplicate_and_a_late_one_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asked for twice it is one event; of what is not quarantined any more it has no effect."""
    log = Log()
    known, first = _quarantined(log, monkeypatch)
    release = log.release(ONE)
    plan = folded(release, log.again(release), known=known)
    assert len(plan.duplicates) == 1
    late = log.release(ONE, received(release).input.received_at.replace(year=2027))
    again = folded(release, late, known=stored(first, plan))
    assert _told(again) == [(received(late).event_id, "rejected", False)]
    assert again.inbox[0].reason == "the payment is not quarantined"


@pytest.mark.parametrize("why", ["unreadable", "refused"])
def test_what_cannot_be_taken_up_stays_as_it_is_and_so_does_its_event(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """A row nobody can read, or that Postgres refuses: no waiting row is lost or written."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    release = received(log.release(ONE))
    later = received(log.webhook(ONE, "canceled"))
    if why == "unreadable":
        nothing = replace(known, parked={}, unreadable={ONE: "no"})
        plan = fold(nothing, [release, later])
    else:
        plan = fold(known, [release, later], {ONE: "no"})
    assert [(str(row.outcome), row.waiting) for row in plan.inbox] == [
        ("applied", False),
        ("parked", False),
    ]
    assert plan.inbox[0].reason == "nothing was taken up, the payment is quarantined again"
    assert (plan.released, plan.quarantines) == (set(), {})
    assert plan.renewed == {ONE: (release.event_id, "no")}


def test_an_object_of_another_payment_is_a_conflict_also_when_it_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is taken up is held to the same rules."""
    log = Log()
    owner = folded(log.create(TWO), log.result(TWO))
    foreign = log.webhook(ONE, "succeeded", "evt_foreign", id=object_of(TWO))
    with monkeypatch.context() as defect:
        failing(defect, ONE, ["evt_bad"])
        quarantined = folded(log.create(ONE), _bad(log), foreign, known=stored(owner))
    plan = folded(log.release(ONE), known=stored(owner, quarantined))
    assert plan.inbox[-1].outcome is Outcome.CONFLICT


def _bad(log: Log) -> ConsumedRecord:
    return log.webhook(ONE, "processing", "evt_bad")
