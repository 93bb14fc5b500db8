"""Every alarm rings on the smallest thing that is wrong, and is silent when all is well."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from domain.status import Status
from domain.view import snapshot
from ports.records import RecordOffset
from postgres.documents import encode_payment, encode_snapshot
from processor.ops.invariants import (
    INVARIANTS,
    Evidence,
    InboxEvidence,
    PaymentEvidence,
    VersionEvidence,
    check,
)
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

FIRST: Final = VersionEvidence("pay_1", 1, None, Status.CREATED, "cmd_1", b"{1}")
SECOND: Final = VersionEvidence("pay_1", 2, Status.CREATED, Status.SUCCEEDED, "evt_1", b"{2}")
PAYMENT: Final = PaymentEvidence(
    "pay_1", Status.SUCCEEDED, 2, 1000, 1000, 1000, 0, {"currency": "EUR"}
)
CREATED: Final = InboxEvidence("cmd_1", "pay_1", CREATE, "applied", 1)
REPORTED: Final = InboxEvidence("evt_1", "pay_1", PAID, "applied", 2)
PARKED: Final = InboxEvidence("evt_2", "pay_2", EARLY, "parked", None)

#: A payment created and paid, its payment reported twice; garbage; a webhook of an unknown payment.
GOOD: Final = Evidence(
    log=frozenset({CREATE, PAID, PAID_AGAIN, GARBAGE, EARLY}),
    inbox=(CREATED, REPORTED, PARKED),
    duplicates=(PAID_AGAIN,),
    dead_letters=(GARBAGE,),
    payments={"pay_1": PAYMENT},
    versions={"pay_1": (FIRST, SECOND)},
    published={"pay_1": b"{2}"},
    published_versions={"pay_1": (1, 2, 1, 2)},
)


def _versions(*versions: VersionEvidence) -> Mapping[str, Any]:
    return {"versions": {"pay_1": versions}}


def _payment(**changes: Any) -> Mapping[str, Any]:
    return {"payments": {"pay_1": replace(PAYMENT, **changes)}}


def _inbox(*rows: InboxEvidence) -> Mapping[str, Any]:
    return {"inbox": rows}


def _derived(**changes: Any) -> Mapping[str, Any]:
    """A payment as the domain made it, its row, and its last version; changes are of the row."""
    log = Log()
    plan = folded(log.create(ONE), log.webhook(ONE, "succeeded"))
    last = encode_snapshot(snapshot(plan.payments[ONE]))
    return {
        "payments": {ONE: replace(PAYMENT, payment_id=ONE, **changes)},
        "documents": {ONE: encode_payment(plan.payments[ONE])},
        "versions": {ONE: (FIRST, replace(SECOND, snapshot=last))},
    }


#: What is wrong: the invariant that must say so, its words, and the change that makes it wrong.
VIOLATIONS: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {
    "a record has no outcome": ("S1", "offset=1) has no outcome", {"duplicates": ()}),
    "a record has two outcomes": ("S1", "has 2 outcomes", {"duplicates": (PAID_AGAIN, PAID)}),
    "a record is applied and a dead letter": (
        "S1",
        "has 2 outcomes",
        {"dead_letters": (GARBAGE, PAID)},
    ),
    "an event made two versions": (
        "S2",
        "evt_1 created 2 versions",
        _versions(FIRST, SECOND, replace(SECOND, version=3)),
    ),
    "a version is missing": ("S3", "at version 2 has [2]", _versions(SECOND)),
    "a version is too many": ("S3", "at version 1 has [1, 2]", _payment(version=1)),
    "a payment has no versions": ("S3", "at version 2 has []", {"versions": {}}),
    "a version follows another status": (
        "S3",
        "follows PROCESSING, not CREATED",
        _versions(FIRST, replace(SECOND, previous_status=Status.PROCESSING)),
    ),
    "a transition is not in the table": (
        "S3",
        "went from PROCESSING to CREATED",
        _versions(
            replace(FIRST, status=Status.PROCESSING),
            replace(SECOND, previous_status=Status.PROCESSING, status=Status.CREATED),
        ),
    ),
    "a final status changed": (
        "S3",
        "went from FAILED (final) to SUCCEEDED",
        _versions(
            replace(FIRST, status=Status.FAILED), replace(SECOND, previous_status=Status.FAILED)
        ),
    ),
    "the row has another status": (
        "S3",
        "is FAILED, its last version SUCCEEDED",
        _payment(status=Status.FAILED),
    ),
    "a document nobody can read": (
        "S4",
        "pay_1 can't be read",
        {"documents": {"pay_1": "{}"}},
    ),
    "a row with another amount than its facts say": (
        "S4",
        "its facts say SUCCEEDED, 10.00 EUR authorized, 10.00 EUR captured, 0.00 EUR refunded",
        _derived(captured=999),
    ),
    "a row with more given back than its facts say": (
        "S4",
        "10.00 EUR captured, 0.01 EUR refunded",
        _derived(refunded=1),
    ),
    "a last version that is not what the facts say": (
        "S4",
        "its last version differs",
        {**_derived(), "versions": {ONE: (FIRST, SECOND)}},
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
    "authorized above the amount": (
        "S5",
        "of 9.99 EUR is SUCCEEDED, 10.00 EUR authorized",
        _payment(amount=999),
    ),
    "a negative refund": ("S5", "10.00 EUR captured, -0.01 EUR refunded", _payment(refunded=-1)),
    "a version without its event": ("S6", "evt_1 says None", _inbox(CREATED, PARKED)),
    "a version whose event is stale": (
        "S6",
        "outcome='stale'",
        _inbox(CREATED, replace(REPORTED, outcome="stale"), PARKED),
    ),
    "a version whose event made another": (
        "S6",
        "version=1,",
        _inbox(CREATED, replace(REPORTED, version=1), PARKED),
    ),
    "an older version is published last": (
        "S8",
        "the last record is not version 2",
        {"published": {"pay_1": b"{1}"}},
    ),
    "a payment was never published": ("S8", "the last record is not", {"published": {}}),
    "a published payment is not stored": (
        "S8",
        "pay_2 is published, but not stored",
        {"published": {"pay_1": b"{2}", "pay_2": b"{1}"}},
    ),
    "a version was left out": (
        "S8",
        "versions [1] were never published",
        {"published_versions": {"pay_1": (2,)}},
    ),
    "a part that no payment has": (
        "S11",
        "refund ref_1 is stored as ('ref_1', 'FAILED', 50, False), its facts say None",
        {"tables": Tables(refunds={"pay_1": [("ref_1", "FAILED", 50, False)]})},
    ),
    "a column that is not what the document says": (
        "S4",
        "currency is stored as USD",
        _derived(repeats={"currency": "USD"}),
    ),
    "records wait": ("L1", "3 records unprocessed", {"lag": 3}),
    "publications wait": ("L1", "1 publications unpublished", {"unpublished": 1}),
    "webhooks wait": ("L1", "2 webhooks unrouted", {"unrouted": 2}),
    "a call waits": ("L1", "call pay_1:create is still due", {"due_calls": {"pay_1:create"}}),
    "an event waits for a payment that is here": (
        "L1",
        "evt_2 is parked, though its payment pay_1",
        _inbox(CREATED, REPORTED, replace(PARKED, payment_id="pay_1")),
    ),
}


def test_all_is_well() -> None:
    """No alarm on a log, a store and a topic that agree; nor on ones that are empty."""
    nothing: dict[str, list[str]] = {code: [] for code in INVARIANTS}
    assert check(GOOD) == nothing
    assert check(Evidence()) == nothing


@pytest.mark.parametrize("wrong", VIOLATIONS)
def test_what_is_wrong_is_reported(wrong: str) -> None:
    """The invariant that was broken says so, and names what broke it."""
    code, words, change = VIOLATIONS[wrong]
    violations = check(replace(GOOD, **change))[code]
    assert [line for line in violations if words in line], violations


def test_every_invariant_has_been_heard() -> None:
    """Every invariant has a case that violates it."""
    assert {code for code, *_ in VIOLATIONS.values()} == INVARIANTS.keys()


def test_a_quarantined_payments_events_may_wait() -> None:
    """They wait for an operator, whom L1 doesn't hurry."""
    parked = replace(PARKED, payment_id="pay_1")
    quarantined = replace(GOOD, inbox=(CREATED, REPORTED, parked), quarantined=frozenset({"pay_1"}))
    assert check(quarantined)["L1"] == []


def test_what_is_stored_is_derived_from_its_facts() -> None:
    """No alarm on a payment as the domain made it."""
    assert check(replace(GOOD, **_derived()))["S4"] == []


def test_what_is_in_flight_is_no_violation() -> None:
    """A record that came just now, a version not yet published, an event just parked."""
    third = replace(SECOND, version=3, snapshot=b"{3}")
    live = replace(
        GOOD,
        log=GOOD.log | {NEWEST},
        unacknowledged=frozenset({NEWEST}),
        versions={"pay_1": (FIRST, SECOND, third)},
        due_versions={"pay_1": 2},
        inbox=(CREATED, REPORTED, replace(PARKED, payment_id="pay_1", is_young=True)),
    )
    found = check(live)
    assert (found["S1"], found["S8"], found["L1"]) == ([], [], [])
    assert check(replace(live, unacknowledged=frozenset()))["S1"] == [f"{NEWEST} has no outcome"]
    assert check(replace(live, due_versions={"pay_1": 3}))["S8"]
    assert check(replace(live, due_versions=None))["S8"]
    unseen: dict[str, Any] = {
        "published": {"pay_1": b"{3}"},
        "published_versions": {"pay_1": (1, 2, 3)},
    }
    assert check(replace(live, **unseen))["S8"] == []
    assert check(replace(live, **unseen, versions={"pay_1": (FIRST, SECOND)}))["S8"]


def test_what_became_of_an_old_input_may_be_forgotten() -> None:
    """A version from before the retention needs no event; with another outcome it is wrong."""
    old = replace(SECOND, is_old=True)
    forgotten = replace(GOOD, versions={"pay_1": (FIRST, old)}, inbox=(CREATED, PARKED))
    assert check(forgotten)["S6"] == []
    wrong = replace(REPORTED, outcome="stale")
    assert check(replace(forgotten, inbox=(CREATED, wrong, PARKED)))["S6"]


def test_a_compacted_topic_may_have_lost_older_versions() -> None:
    """From the oldest one that is there, none is left out."""
    compacted = replace(GOOD, published_versions={"pay_1": (2,)}, is_whole=False)
    assert check(compacted)["S8"] == []
    gap = replace(compacted, published_versions={"pay_1": (1, 3)}, published={"pay_1": b"{3}"})
    assert "pay_1: versions [2] were never published" in check(gap)["S8"]


def test_every_invariant_says_what_it_means() -> None:
    """The audit prints each one's sentence, and how many of what it looked at."""
    assert all(invariant.meaning.endswith(".") for invariant in INVARIANTS.values())
    counts = {code: invariant.count(GOOD) for code, invariant in INVARIANTS.items()}
    assert counts == {
        "S1": 5, "S2": 2, "S3": 2, "S4": 0, "S5": 1, "S6": 2, "S8": 1, "S11": 0, "L1": 3,
    }  # fmt: skip
