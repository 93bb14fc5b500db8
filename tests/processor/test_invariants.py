"""Every alarm rings on the smallest thing that is wrong, and is silent when all is well."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from processor.domain.status import Status
from processor.invariants import (
    INVARIANTS,
    Evidence,
    InboxEvidence,
    PaymentEvidence,
    VersionEvidence,
    check,
)
from processor.records import Position
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_WEBHOOKS

CREATE: Final = Position(PAYMENT_COMMANDS, 0, 0)
PAID: Final = Position(PROVIDER_WEBHOOKS, 0, 0)
PAID_AGAIN: Final = Position(PROVIDER_WEBHOOKS, 0, 1)
GARBAGE: Final = Position(PROVIDER_WEBHOOKS, 0, 2)
EARLY: Final = Position(PROVIDER_WEBHOOKS, 0, 3)

FIRST: Final = VersionEvidence("pay_1", 1, None, Status.CREATED, "cmd_1", b"{1}")
SECOND: Final = VersionEvidence("pay_1", 2, Status.CREATED, Status.SUCCEEDED, "evt_1", b"{2}")
PAYMENT: Final = PaymentEvidence("pay_1", Status.SUCCEEDED, 2, 1000, 1000, 1000, 0)
CREATED: Final = InboxEvidence("cmd_1", "pay_1", CREATE, "applied", 1)
TOLD: Final = InboxEvidence("evt_1", "pay_1", PAID, "applied", 2)
PARKED: Final = InboxEvidence("evt_2", "pay_2", EARLY, "parked", None)

#: A payment that was created and paid, told twice; garbage; a webhook whose payment isn't here.
GOOD: Final = Evidence(
    log=frozenset({CREATE, PAID, PAID_AGAIN, GARBAGE, EARLY}),
    inbox=(CREATED, TOLD, PARKED),
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
        "evt_1 brought 2 versions",
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
    "refunded above captured": ("S5", "1001, 1000, 1000 of 1000", _payment(refunded=1001)),
    "captured above authorized": ("S5", "0, 1000, 999 of 1000", _payment(authorized=999)),
    "authorized above the amount": ("S5", "0, 1000, 1000 of 999", _payment(amount=999)),
    "a negative refund": ("S5", "-1, 1000, 1000 of 1000", _payment(refunded=-1)),
    "a version without its event": ("S6", "evt_1 says None", _inbox(CREATED, PARKED)),
    "a version whose event is stale": (
        "S6",
        "outcome='stale'",
        _inbox(CREATED, replace(TOLD, outcome="stale"), PARKED),
    ),
    "a version whose event made another": (
        "S6",
        "version=1)",
        _inbox(CREATED, replace(TOLD, version=1), PARKED),
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
    "records wait": ("L1", "3 records unprocessed", {"lag": 3}),
    "publications wait": ("L1", "1 publications unpublished", {"unpublished": 1}),
    "webhooks wait": ("L1", "2 webhooks unrouted", {"unrouted": 2}),
    "a call waits": ("L1", "call pay_1:create is still due", {"due_calls": {"pay_1:create"}}),
    "an event waits for a payment that is here": (
        "L1",
        "evt_2 is parked, though its payment pay_1",
        _inbox(CREATED, TOLD, replace(PARKED, payment_id="pay_1")),
    ),
}


def test_all_is_well() -> None:
    """No alarm on a log, a store and a topic that agree; nor on ones that are empty."""
    nothing: dict[str, list[str]] = {code: [] for code in INVARIANTS}
    assert check(GOOD) == nothing
    assert check(Evidence()) == nothing


@pytest.mark.parametrize("wrong", VIOLATIONS)
def test_what_is_wrong_is_told(wrong: str) -> None:
    """The invariant that was broken says so, and names what broke it."""
    code, words, change = VIOLATIONS[wrong]
    told = check(replace(GOOD, **change))[code]
    assert [line for line in told if words in line], told


def test_every_invariant_has_been_heard() -> None:
    """An alarm nobody has ever heard may be one that can't ring."""
    assert {code for code, *_ in VIOLATIONS.values()} == INVARIANTS.keys()


def test_a_held_payments_events_may_wait() -> None:
    """They wait for an operator, whom L1 doesn't hurry."""
    parked = replace(PARKED, payment_id="pay_1")
    held = replace(GOOD, inbox=(CREATED, TOLD, parked), held=frozenset({"pay_1"}))
    assert check(held)["L1"] == []


def test_every_invariant_says_what_it_means() -> None:
    """The audit prints each one's sentence; it begins with the code under which it is known."""
    for code, invariant in INVARIANTS.items():
        assert (invariant.__doc__ or "").startswith(f"{code}: ")
