"""Each invariant reports the smallest violation, and reports nothing on a correct system."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from msgspec.structs import replace as changed

from domain.status import Status
from domain.view import snapshot
from ports.batch import PARTS_MAX
from ports.records import RecordOffset
from postgres.documents import encode_payment, encode_snapshot
from processor.ops.invariants import (
    INVARIANTS,
    Evidence,
    InboxEvidence,
    PaymentEvidence,
    VersionEvidence,
    check,
    digest,
)
from processor.ops.operation_invariants import Answers
from processor.ops.table_invariants import Tables
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_WEBHOOKS
from tests.support.builders import Log
from tests.support.programs.folding import ONE, folded

CREATE: Final = RecordOffset(PAYMENT_COMMANDS, 0, 0)
PAID: Final = RecordOffset(PROVIDER_WEBHOOKS, 0, 0)
PAID_AGAIN: Final = RecordOffset(PROVIDER_WEBHOOKS, 0, 1)
GARBAGE: Final = RecordOffset(PROVIDER_WEBHOOKS, 0, 2)
EARLY: Final = RecordOffset(PROVIDER_WEBHOOKS, 0, 3)
NEWEST: Final = RecordOffset(PROVIDER_WEBHOOKS, 0, 4)

FIRST: Final = VersionEvidence(
    payment_id="pay_1",
    version=1,
    previous_status=None,
    status=Status.CREATED,
    event_id="cmd_1",
)
SECOND: Final = VersionEvidence(
    payment_id="pay_1",
    version=2,
    previous_status=Status.CREATED,
    status=Status.SUCCEEDED,
    event_id="evt_1",
)
PAYMENT: Final = PaymentEvidence(
    payment_id="pay_1",
    status=Status.SUCCEEDED,
    version=2,
    amount=1000,
    authorized=1000,
    captured=1000,
    refunded=0,
    snapshot=b"{2}",
    repeats={"currency": "EUR"},
)
CREATED: Final = InboxEvidence(
    event_id="cmd_1", payment_id="pay_1", position=CREATE, outcome="applied", version=1
)
REPORTED: Final = InboxEvidence(
    event_id="evt_1", payment_id="pay_1", position=PAID, outcome="applied", version=2
)
PARKED: Final = InboxEvidence(
    event_id="evt_2", payment_id="pay_2", position=EARLY, outcome="parked", version=None
)

#: A payment that was created and paid, one duplicate of its webhook, one undecodable record, and a
#: webhook of an unknown payment.
GOOD: Final = Evidence(
    log=frozenset({CREATE, PAID, PAID_AGAIN, GARBAGE, EARLY}),
    inbox=(CREATED, REPORTED, PARKED),
    duplicates=(PAID_AGAIN,),
    dead_letters=(GARBAGE,),
    payments={"pay_1": PAYMENT},
    versions={"pay_1": (FIRST, SECOND)},
    published={"pay_1": digest(b"{2}")},
    published_versions={"pay_1": (1, 2, 1, 2)},
)


UNANSWERED: Final = Answers(commands={"op_1": "rejected"})


def _versions(*versions: VersionEvidence) -> Mapping[str, Any]:
    return {"versions": {"pay_1": versions}}


def _payment(**changes: Any) -> Mapping[str, Any]:
    return {"payments": {"pay_1": changed(PAYMENT, **changes)}}


def _inbox(*rows: InboxEvidence) -> Mapping[str, Any]:
    return {"inbox": rows}


def _derived(**changes: Any) -> Mapping[str, Any]:
    """A payment that the domain made, and its row with these changes."""
    log = Log()
    plan = folded(log.create(ONE), log.webhook(ONE, "succeeded"))
    last = encode_snapshot(snapshot(plan.payments[ONE]))
    return {
        "payments": {ONE: changed(PAYMENT, **{"payment_id": ONE, "snapshot": last, **changes})},
        "documents": {ONE: encode_payment(plan.payments[ONE])},
        "versions": {ONE: (FIRST, SECOND)},
    }


def _of_account(kind: str) -> Mapping[str, Any]:
    return {**_derived(), **_inbox(changed(REPORTED, payment_id=ONE, kind=f"{kind}.event"))}


#: By violation: the invariant that reports it, its text, and the change that causes it.
VIOLATIONS: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {
    "a record has no outcome": ("S1", "offset=1) has no outcome", {"duplicates": ()}),
    "a record has two outcomes": ("S1", "has several outcomes", {"duplicates": (PAID_AGAIN, PAID)}),
    "a record is applied and a dead letter": (
        "S1",
        "has several outcomes",
        {"dead_letters": (GARBAGE, PAID)},
    ),
    "an event made two versions": (
        "S2",
        "evt_1 created 2 versions",
        _versions(FIRST, SECOND, changed(SECOND, version=3)),
    ),
    "a version is missing": ("S3", "at version 2 has [2]", _versions(SECOND)),
    "a version is too many": ("S3", "at version 1 has [1, 2]", _payment(version=1)),
    "a payment has no versions": ("S3", "at version 2 has []", {"versions": {}}),
    "a version follows another status": (
        "S3",
        "follows PROCESSING, not CREATED",
        _versions(FIRST, changed(SECOND, previous_status=Status.PROCESSING)),
    ),
    "a transition is not in the table": (
        "S3",
        "went from PROCESSING to CREATED",
        _versions(
            changed(FIRST, status=Status.PROCESSING),
            changed(SECOND, previous_status=Status.PROCESSING, status=Status.CREATED),
        ),
    ),
    "a final status changed": (
        "S3",
        "went from FAILED (final) to SUCCEEDED",
        _versions(
            changed(FIRST, status=Status.FAILED), changed(SECOND, previous_status=Status.FAILED)
        ),
    ),
    "the row has another status": (
        "S3",
        "is FAILED, its last version SUCCEEDED",
        _payment(status=Status.FAILED),
    ),
    "a document that can't be decoded": (
        "S4",
        "pay_1 can't be read",
        {"documents": {"pay_1": "{}"}},
    ),
    "a row with another amount than its facts": (
        "S4",
        "its facts say SUCCEEDED, 10.00 EUR authorized, 10.00 EUR captured, 0.00 EUR refunded",
        _derived(captured=999),
    ),
    "a row with more refunded than its facts": (
        "S4",
        "10.00 EUR captured, 0.01 EUR refunded",
        _derived(refunded=1),
    ),
    "a last version that differs from the facts": (
        "S4",
        "its last version differs",
        _derived(snapshot=PAYMENT.snapshot),
    ),
    "refunded above captured": (
        "S5",
        "10.00 EUR is SUCCEEDED, 10.00 EUR authorized, 10.00 EUR captured, 10.01 EUR",
        _payment(refunded=1001),
    ),
    "captured above authorized": (
        "S5",
        "10.00 EUR is SUCCEEDED, 9.99 EUR authorized, 10.00 EUR captured, 0.00 EUR",
        _payment(authorized=999),
    ),
    "a negative refund": ("S5", "10.00 EUR captured, -0.01 EUR refunded", _payment(refunded=-1)),
    "a version without its event": ("S6", "evt_1 is not recorded", _inbox(CREATED, PARKED)),
    "a version whose event is stale": (
        "S6",
        "evt_1 ended as stale",
        _inbox(CREATED, changed(REPORTED, outcome="stale"), PARKED),
    ),
    "a version whose event made another": (
        "S6",
        "evt_1 ended as applied in version 1",
        _inbox(CREATED, changed(REPORTED, version=1), PARKED),
    ),
    "a version whose event is another payment's": (
        "S6",
        "evt_1 is not recorded",
        _inbox(CREATED, changed(REPORTED, payment_id="pay_2"), PARKED),
    ),
    "an event that is recorded in two quarters": (
        "S6",
        "evt_1 is recorded 2 times",
        _inbox(CREATED, REPORTED, changed(REPORTED, outcome="stale"), PARKED),
    ),
    "an older version is published last": (
        "S8",
        "the last record is not version 2",
        {"published": {"pay_1": digest(b"{1}")}, "published_versions": {"pay_1": (1, 2, 1)}},
    ),
    "the last version is published with other contents": (
        "S8",
        "the last record is not version 2 as stored",
        {"published": {"pay_1": digest(b"{1}")}},
    ),
    "a version that is not stored is published": (
        "S8",
        "the last record is not version 2",
        {"published_versions": {"pay_1": (1, 2, 3)}},
    ),
    "a payment was never published": (
        "S8",
        "the last record is not",
        {"published": {}, "published_versions": {}},
    ),
    "a published payment is not stored": (
        "S8",
        "pay_2 is published, but not stored",
        {"published": {"pay_1": digest(b"{2}"), "pay_2": digest(b"{1}")}},
    ),
    "a version was left out": (
        "S8",
        "versions [1] were never published",
        {"published_versions": {"pay_1": (2,)}},
    ),
    "a quarantine was never published": (
        "S8",
        "pay_1: whether it is quarantined is not what its last record says",
        {"quarantined": {"pay_1"}, "published_quarantined": frozenset()},
    ),
    "a release was never published": (
        "S8", "pay_1: whether it is quarantined is not what its last record says",
        {"published_quarantined": frozenset({"pay_1"})},
    ),
    "a part that no payment has": (
        "S11",
        "refund ref_1 is stored as ('ref_1', 'FAILED', 50, False), its facts say None",
        {"tables": Tables(refunds={"pay_1": [("ref_1", "FAILED", 50, False)]})},
    ),
    "a column that differs from the document": (
        "S4", "currency is stored as USD", _derived(repeats={"currency": "USD"}),
    ),
    "another account's event is applied": ("S12", "evt_1 of account second", _of_account("second")),
    "a command without an answer": ("S13", "op_1 has no answer", {"answers": UNANSWERED}),
    "records wait": ("L1", "3 records unprocessed", {"lag": 3}),
    "publications wait": ("L1", "1 publications unpublished", {"unpublished": 1}),
    "webhooks wait": ("L1", "2 webhooks unrouted", {"unrouted": 2}),
    "a call waits": ("L1", "call pay_1:create is still due", {"due_calls": {"pay_1:create"}}),
    "an event waits for a payment that exists": (
        "L1", "evt_2 is parked, though its payment pay_1",
        _inbox(CREATED, REPORTED, changed(PARKED, payment_id="pay_1")),
    ),
}  # fmt: skip


def test_a_correct_system_has_no_violation() -> None:
    """Neither a log, a store and a topic that agree nor empty ones violate an invariant."""
    nothing: dict[str, list[str]] = {code: [] for code in INVARIANTS}
    assert check(GOOD) == nothing
    assert check(Evidence()) == nothing


@pytest.mark.parametrize("wrong", VIOLATIONS)
def test_a_violation_is_reported(wrong: str) -> None:
    """The broken invariant reports it, and names what broke it."""
    code, text, change = VIOLATIONS[wrong]
    violations = check(replace(GOOD, **change))[code]
    assert [line for line in violations if text in line], violations


def test_an_event_that_was_unreadable_when_it_came_is_of_no_account() -> None:
    """It was decided once its quarantine ended, and its kind is not known."""
    assert check(replace(GOOD, **_of_account("unread")))["S12"] == []


def test_every_invariant_has_a_case_that_violates_it() -> None:
    """An invariant without a case would be untested."""
    assert {code for code, *_ in VIOLATIONS.values()} == INVARIANTS.keys()


def test_a_quarantined_payments_events_may_wait() -> None:
    """They wait for an operator, so L1 does not report them."""
    parked = changed(PARKED, payment_id="pay_1")
    quarantined = replace(GOOD, inbox=(CREATED, REPORTED, parked), quarantined=frozenset({"pay_1"}))
    assert check(quarantined)["L1"] == []


def test_a_quarantine_without_a_payment_is_not_published() -> None:
    """The payment's first record failed: it has no version that could say so."""
    marked = frozenset({"pay_1"})
    found = replace(GOOD, quarantined=marked | {"pay_2"}, published_quarantined=marked)
    assert check(found)["S8"] == []


def test_a_row_derived_from_its_facts_is_no_violation() -> None:
    """The row and the last version are as the domain made them."""
    assert check(replace(GOOD, **_derived()))["S4"] == []


def test_records_in_flight_are_no_violation() -> None:
    """A new record, an unpublished version, an event that was parked just now."""
    third = changed(SECOND, version=3)
    live = replace(
        GOOD,
        log=GOOD.log | {NEWEST},
        unacknowledged=frozenset({NEWEST}),
        versions={"pay_1": (FIRST, SECOND, third)},
        payments={"pay_1": changed(PAYMENT, version=3, snapshot=b"{3}")},
        due_versions={"pay_1": 2},
        inbox=(CREATED, REPORTED, changed(PARKED, payment_id="pay_1", is_young=True)),
    )
    found = check(live)
    assert (found["S1"], found["S8"], found["L1"]) == ([], [], [])
    assert check(replace(live, unacknowledged=frozenset()))["S1"] == [f"{NEWEST} has no outcome"]
    assert check(replace(live, due_versions={"pay_1": 3}))["S8"]
    assert check(replace(live, due_versions=None))["S8"]
    unseen: dict[str, Any] = {
        "published": {"pay_1": digest(b"{3}")},
        "published_versions": {"pay_1": (1, 2, 3)},
    }
    assert check(replace(live, **unseen))["S8"] == []
    assert check(replace(live, **unseen, payments={"pay_1": PAYMENT}))["S8"]


def test_the_outcome_of_an_old_input_may_be_deleted() -> None:
    """A version older than the retention needs no event. That of another version is wrong."""
    old = changed(SECOND, is_old=True)
    deleted = replace(GOOD, versions={"pay_1": (FIRST, old)}, inbox=(CREATED, PARKED))
    assert check(deleted)["S6"] == []
    wrong = changed(REPORTED, version=1)
    assert check(replace(deleted, inbox=(CREATED, wrong, PARKED)))["S6"]


@pytest.mark.parametrize("outcome", ["stale", "rejected", "conflict", "ignored"])
def test_an_old_event_that_comes_again_after_its_deletion_has_no_effect(outcome: str) -> None:
    """So it has no version. While a version is young its event is still recorded with it."""
    again = changed(REPORTED, outcome=outcome, version=None)
    versions = {"pay_1": (FIRST, changed(SECOND, is_old=True))}
    came = replace(GOOD, versions=versions, inbox=(CREATED, again, PARKED))
    assert check(came)["S6"] == []
    assert check(replace(came, versions=GOOD.versions))["S6"]


def test_a_compacted_topic_may_have_lost_older_versions() -> None:
    """From the oldest version on the topic on, none may be missing."""
    compacted = replace(GOOD, published_versions={"pay_1": (2,)}, is_whole=False)
    assert check(compacted)["S8"] == []
    gap = replace(
        compacted, published_versions={"pay_1": (1, 3)}, published={"pay_1": digest(b"{3}")}
    )
    assert "pay_1: versions [2] were never published" in check(gap)["S8"]


@pytest.mark.parametrize(("refunds", "violated"), [(PARTS_MAX, True), (PARTS_MAX + 1, False)])
def test_versions_of_a_payment_with_many_refunds_may_be_left_out(
    refunds: int, *, violated: bool
) -> None:
    """Only the last one of a batch is published."""
    log = Log()
    begun = [log.create(ONE), log.webhook(ONE, "succeeded")]
    refunded = (log.refund_event(ONE, f"re_{n}", "succeeded", 1) for n in range(refunds))
    payment = folded(*begun, *refunded).payments[ONE]
    gap = Evidence(
        payments={ONE: changed(PAYMENT, payment_id=ONE)},
        documents={ONE: encode_payment(payment)},
        published_versions={ONE: (1, payment.version)},
    )
    assert any("were never published" in each for each in check(gap)["S8"]) is violated
    behind = replace(
        gap,
        payments={ONE: changed(PAYMENT, payment_id=ONE, version=5)},
        published_versions={ONE: (1,)},
        due_versions={ONE: 4},
    )
    assert any("the last record is not" in each for each in check(behind)["S8"]) is violated


def test_every_invariant_has_a_meaning_and_a_count() -> None:
    """The audit prints both: a sentence, and how many things it checked."""
    assert all(invariant.meaning.endswith(".") for invariant in INVARIANTS.values())
    counts = {code: invariant.count(GOOD) for code, invariant in INVARIANTS.items()}
    assert counts == {
        "S1": 5, "S2": 2, "S3": 2, "S4": 0, "S5": 1, "S6": 2, "S8": 1, "S11": 0, "S12": 3, "S13": 0,
        "L1": 3,
    }  # fmt: skip
