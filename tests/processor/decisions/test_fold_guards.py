"""The fold isolates payments our code failed on, and refuses objects of other payments."""

import pytest
from msgspec.structs import replace

from decisions.fold import fold
from domain.status import Outcome, Status
from tests.support.builders import Log, object_of, received
from tests.support.programs.folding import ONE, TWO, fail_on, folded, stored


def test_a_failure_of_our_code_quarantines_only_that_payment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its event is quarantined, and its later ones are parked. All others are applied."""
    log = Log()
    batch = (
        log.create(ONE),
        log.webhook(ONE, "processing", "evt_bad"),
        log.create(TWO),
        log.webhook(ONE, "succeeded"),
        log.webhook(TWO, "succeeded"),
    )
    fail_on(monkeypatch, ONE, ["evt_bad"])
    plan = folded(*batch)
    assert [str(row.outcome) for row in plan.inbox] == [
        "applied", "quarantined", "applied", "parked", "applied",
    ]  # fmt: skip
    assert plan.inbox[1].reason == "our own code failed: ZeroDivisionError: a defect"
    assert plan.quarantines == {ONE: ("evt_bad", "ZeroDivisionError: a defect")}
    assert plan.payments[ONE].version == 1
    assert plan.payments[TWO].status == Status.SUCCEEDED


def test_a_quarantined_payments_inputs_are_parked() -> None:
    """Inputs of every kind are parked until the release. Other payments go on."""
    log = Log()
    first = folded(log.create(ONE))
    first.quarantines[ONE] = ("evt_bad", "a defect")
    inputs = [log.webhook(ONE, "succeeded"), log.command(ONE, "cancel")]
    plan = folded(*inputs, log.create(TWO), known=stored(first))
    assert [str(row.outcome) for row in plan.inbox] == ["parked", "parked", "applied"]
    assert "quarantined for an operator" in plan.inbox[0].reason
    assert plan.payments.keys() == {TWO}
    assert plan.quarantines == {}
    again = folded(*inputs, known=stored(first, plan))
    assert again.inbox == []


def test_a_failure_on_the_create_quarantines_the_payment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The create makes no payment. Later inputs are parked, not applied without it."""
    log = Log()
    create, paid = log.create(ONE), log.webhook(ONE, "succeeded")
    fail_on(monkeypatch, ONE, [received(create).event_id])
    plan = folded(create, paid)
    assert [str(row.outcome) for row in plan.inbox] == ["quarantined", "parked"]
    assert plan.payments == {}
    assert plan.calls == []


def test_a_failure_while_parked_inputs_are_applied_quarantines_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The payment is created. One parked input fails, and the rest stays parked."""
    log = Log()
    early = [log.webhook(ONE, "processing", "evt_bad"), log.webhook(ONE, "succeeded")]
    known = stored(folded(*early))
    fail_on(monkeypatch, ONE, ["evt_bad"])
    plan = folded(log.create(ONE), known=known)
    assert [(str(row.outcome), row.waiting) for row in plan.inbox] == [
        ("applied", False),
        ("quarantined", True),
        ("parked", True),
    ]
    assert plan.payments[ONE].version == 1


def test_a_payment_that_could_not_be_written_is_quarantined() -> None:
    """Its first input is quarantined with the error, the others are parked."""
    log = Log()
    batch = [
        received(r) for r in (log.create(ONE), log.webhook(ONE, "processing"), log.create(TWO))
    ]
    plan = fold(stored(), batch, {ONE: "CheckViolation: no"})
    assert [str(row.outcome) for row in plan.inbox] == ["quarantined", "parked", "applied"]
    assert plan.quarantines == {ONE: (batch[0].event_id, "CheckViolation: no")}
    assert plan.payments.keys() == {TWO}


@pytest.mark.parametrize("owner", ["known", "not known yet"])
def test_a_payment_that_could_not_be_written_keeps_no_other_payments_event(owner: str) -> None:
    """It is not quarantined for it, and the event goes to the payment whose object it names."""
    log = Log()
    known = stored(folded(log.create(ONE), log.result(ONE), log.create(TWO)))
    if owner == "known":
        known = stored(folded(log.create(ONE), log.result(ONE), log.create(TWO), log.result(TWO)))
    foreign = received(log.webhook(ONE, "succeeded", "evt_foreign", id=object_of(TWO)))
    own = received(log.webhook(ONE, "succeeded"))
    plan = fold(known, [foreign, own], {ONE: "CheckViolation: no"})
    assert [str(row.outcome) for row in plan.inbox] == ["conflict", "quarantined"]
    assert plan.quarantines == {ONE: (own.event_id, "CheckViolation: no")}
    assert plan.misrouted == [foreign]


def test_a_payment_that_cannot_be_read_keeps_no_other_payments_event() -> None:
    """It has no object as far as anybody can tell, but another payment has the one named."""
    log = Log()
    known = stored(folded(log.create(TWO), log.result(TWO)))
    foreign = received(log.webhook(ONE, "succeeded", "evt_foreign", id=object_of(TWO)))
    plan = fold(replace(known, unreadable={ONE: "no"}), [foreign])
    assert [str(row.outcome) for row in plan.inbox] == ["conflict"]
    assert (plan.quarantines, plan.misrouted) == ({}, [foreign])


def test_a_quarantined_payments_result_waits_whatever_object_it_names() -> None:
    """A result belongs to no other payment, so it is decided after the release, and kept."""
    log = Log()
    first = folded(log.create(ONE), log.webhook(ONE, "processing"))
    first.quarantines[ONE] = ("evt_bad", "a defect")
    result = log.result(ONE, object_id=object_of(TWO))
    plan = folded(result, known=stored(first))
    assert [str(row.outcome) for row in plan.inbox] == ["parked"]
    released = folded(log.release(ONE), known=replace(stored(first, plan), payments=first.payments))
    row = released.inbox[-1]
    assert (row.outcome, row.apart) == (Outcome.CONFLICT, False)
    assert object_of(TWO) in row.reason


@pytest.mark.parametrize("reported_by", ["webhook", "result"])
@pytest.mark.parametrize("across", [False, True])
def test_another_payments_object_is_a_conflict(reported_by: str, *, across: bool) -> None:
    """In one batch and across batches. The reason names neither payment nor object."""
    log = Log()
    owner = [log.create(ONE), log.webhook(ONE, "processing")]
    object_id = object_of(ONE)
    foreign = {
        "webhook": log.webhook(TWO, "succeeded", id=object_id),
        "result": log.result(TWO, object_id=object_id),
    }[reported_by]
    if across:
        plan = folded(log.create(TWO), foreign, known=stored(folded(*owner)))
    else:
        plan = folded(*owner, log.create(TWO), foreign)
    last = plan.inbox[-1]
    assert last.outcome is Outcome.CONFLICT
    assert "belongs to another payment" in last.reason
    assert ONE not in last.reason
    assert object_id not in last.reason
    assert plan.payments[TWO].version == 1
    assert plan.payments[TWO].object_id is None


def test_a_payments_own_object_is_no_conflict() -> None:
    """The owner's facts and results may name it any number of times."""
    log = Log()
    known = stored(folded(log.create(ONE), log.result(ONE)))
    plan = folded(log.webhook(ONE, "processing"), log.webhook(ONE, "succeeded"), known=known)
    assert {row.outcome for row in plan.inbox} == {Outcome.APPLIED}


@pytest.mark.parametrize("kind", ["confirm", "capture", "cancel", "refund"])
def test_a_command_for_an_unknown_payment_is_rejected_at_once(kind: str) -> None:
    """It stays rejected when the payment is created."""
    log = Log()
    plan = folded(log.command(ONE, kind))
    (row,) = plan.inbox
    assert (row.outcome, row.reason) == (Outcome.REJECTED, "there is no such payment")
    assert plan.payments == {}
    later = folded(log.create(ONE), known=stored(plan))
    assert [row.outcome for row in later.inbox] == [Outcome.APPLIED]
    assert later.payments[ONE].cancel is None


def test_another_tenants_command_does_not_affect_the_owners() -> None:
    """The same operation, key and body under another tenant is a separate event."""
    log = Log()
    foreign = log.command(ONE, "cancel", tenant="globex")
    own = log.command(ONE, "cancel")
    plan = folded(log.create(ONE), foreign, own)
    assert [row.outcome for row in plan.inbox] == [
        Outcome.APPLIED, Outcome.REJECTED, Outcome.APPLIED,
    ]  # fmt: skip
    assert plan.duplicates == []
    assert plan.payments[ONE].cancel is not None
