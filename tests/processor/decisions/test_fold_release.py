"""A release in the fold: the quarantine ends, and the waiting inputs are processed in order."""

import json

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
from ports.records import ConsumedRecord, refusal_id
from tests.support.builders import Log, object_of, received
from tests.support.programs.folding import ONE, TWO, fail_on, folded, stored


def _quarantined(
    log: Log, patch: pytest.MonkeyPatch, *, on: str = "evt_bad"
) -> tuple[ReadSet, WriteSet]:
    """ONE is created, quarantined on its second input, and its success waits."""
    with patch.context() as defect:
        fail_on(defect, ONE, [on])
        plan = folded(
            log.create(ONE),
            log.webhook(ONE, "processing", "evt_bad"),
            log.webhook(ONE, "succeeded", "evt_good"),
        )
    return stored(plan), plan


def _decided(plan: WriteSet) -> list[tuple[str, str, bool]]:
    """Returns event ID, outcome, and whether it had waited, in the order of decisions."""
    rows = sorted(plan.inbox, key=lambda row: row.ordinal)
    return [(row.received.event_id, str(row.outcome), row.waiting) for row in rows]


def test_a_release_processes_the_waiting_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The payment and its versions are those of a payment that was never quarantined."""
    log = Log()
    known, first = _quarantined(log, monkeypatch)
    release = log.release(ONE)
    plan = folded(release, log.create(TWO), known=known)
    rel = received(release).event_id
    assert _decided(plan)[:3] == [
        (rel, "applied", False),
        ("evt_bad", "applied", True),
        ("evt_good", "applied", True),
    ]
    assert plan.inbox[0].reason == "the payment was released; inputs taken up: 2"
    assert (plan.released, plan.quarantines) == ({ONE}, {})
    undisturbed = folded(*(row.received.record for row in first.inbox))
    assert plan.payments[ONE] == undisturbed.payments[ONE]
    assert [
        *first.versions,
        *(v for v in plan.versions if v.payment.id == ONE),
    ] == undisturbed.versions


def test_a_release_has_the_version_it_led_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redelivery after a crash needs it to find what has to be published."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    plan = folded(log.release(ONE), known=known)
    assert plan.inbox[0].version == plan.payments[ONE].version == 3


def test_a_release_before_the_fix_quarantines_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same transaction quarantines the same input again. The rest is parked."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    fail_on(monkeypatch, ONE, ["evt_bad"])
    plan = folded(log.release(ONE), known=known)
    assert [outcome for _, outcome, _ in _decided(plan)] == ["applied", "quarantined", "parked"]
    assert plan.inbox[0].reason.endswith("inputs taken up: 2, and it is quarantined again")
    assert plan.inbox[0].version is None
    assert plan.released == {ONE}
    assert plan.quarantines == {ONE: ("evt_bad", "ZeroDivisionError: a defect")}
    assert plan.payments == {}


def test_a_release_processes_earlier_inputs_of_its_own_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They follow the inputs that waited longer. Later ones of the batch are decided as usual."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    before = log.command(ONE, "refund")
    after = log.command(ONE, "cancel")
    plan = folded(before, log.release(ONE), after, known=known)
    assert [(event, outcome) for event, outcome, _ in _decided(plan)][1:] == [
        ("evt_bad", "applied"),
        ("evt_good", "applied"),
        (received(before).event_id, "applied"),
        (received(after).event_id, "rejected"),
    ]


def test_a_quarantine_and_its_release_in_one_batch_leave_no_quarantine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The defect has passed by then. Nothing is quarantined, and every input is applied."""
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
    assert [outcome for _, outcome, _ in _decided(plan)] == ["applied"] * 4


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_redelivered_waiting_record_is_processed_once(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A waiting record that comes again in the batch of its release is one input."""
    log = Log()
    known, first = _quarantined(log, monkeypatch)
    waiting = first.inbox[2].received.record
    release = log.release(ONE)
    batch = (waiting, release) if where == "before" else (release, waiting)
    plan = folded(*batch, known=known)
    assert [event for event, *_ in _decided(plan)].count("evt_good") == 1
    assert plan.duplicates == []


def test_a_quarantined_create_is_processed_before_inputs_that_waited_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Inputs that came before the create are applied after it."""
    log = Log()
    early, create, paid = (
        log.webhook(ONE, "processing"), log.create(ONE), log.webhook(ONE, "succeeded"),
    )  # fmt: skip
    with monkeypatch.context() as defect:
        fail_on(defect, ONE, [received(create).event_id])
        known = stored(folded(early, create, paid))
    plan = folded(log.release(ONE), known=known)
    assert {str(row.outcome) for row in plan.inbox} == {"applied"}
    order = [event for event, *_ in _decided(plan)][1:]
    assert order == [received(record).event_id for record in (create, early, paid)]
    assert [v.payment.version for v in plan.versions] == [1, 2, 3]


def test_a_second_release_is_a_duplicate_and_a_late_one_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release requested twice is one event. Without a quarantine it has no effect."""
    log = Log()
    known, first = _quarantined(log, monkeypatch)
    release = log.release(ONE)
    plan = folded(release, log.again(release), known=known)
    assert len(plan.duplicates) == 1
    late = log.release(ONE, received(release).input.received_at.replace(year=2027))
    again = folded(release, late, known=stored(first, plan))
    assert _decided(again) == [(received(late).event_id, "rejected", False)]
    assert again.inbox[0].reason == "the payment is not quarantined"


@pytest.mark.parametrize("why", ["unreadable", "refused"])
def test_a_release_that_fails_changes_no_waiting_row(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """A row can't be decoded, or Postgres refuses it. No waiting row is lost or written."""
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


def test_a_waiting_input_with_another_payments_object_is_a_conflict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same rules apply to inputs that waited."""
    log = Log()
    foreign = log.webhook(ONE, "succeeded", "evt_foreign", id=object_of(TWO))
    with monkeypatch.context() as defect:
        fail_on(defect, ONE, ["evt_bad"])
        quarantined = folded(log.create(ONE), _bad(log), foreign)
    owner = folded(log.create(TWO), log.result(TWO))
    plan = folded(log.release(ONE), known=stored(owner, quarantined))
    assert plan.inbox[-1].outcome is Outcome.CONFLICT


def _bad(log: Log) -> ConsumedRecord:
    return log.webhook(ONE, "processing", "evt_bad")


@pytest.mark.parametrize(
    "unread", [{"api_version": "2013-12-03"}, {"account": "acct_other"}, {"livemode": True}]
)
def test_a_rendering_without_effect_does_not_wait_for_the_release(
    monkeypatch: pytest.MonkeyPatch, unread: dict[str, object]
) -> None:
    """Waiting, it would hold the ID of an event whose other rendering has an effect."""
    log = Log()
    known, _ = _quarantined(log, monkeypatch)
    refund = received(log.refund_event(ONE, "re_1", "succeeded", 300))
    readable = json.loads(refund.record.value)
    plan = folded(
        log.event(ONE, readable | unread), log.event(ONE, readable), log.release(ONE), known=known
    )
    ended = {(row.event_id, str(row.outcome)) for row in plan.inbox}
    assert (refund.event_id, "applied") in ended
    (ignored,) = (row for row in plan.inbox if row.outcome is Outcome.IGNORED)
    assert ignored.event_id == refusal_id(ignored.received)
    assert not plan.duplicates
