"""A good history breaks no rule, and each wrong entry breaks its rule."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from schemas.identity import public_operation_id
from tests.chaos.history import (
    Accepted,
    Answered,
    AnswerRead,
    AnyEntry,
    FaultBegan,
    FaultEnded,
    Invoked,
    Outcome,
    Published,
    Read,
    Stored,
    Unknown,
    Violation,
)
from tests.chaos.judging.check import IndexedHistory, check

PAID: Final = "pay_paid"
CREATE: Final = public_operation_id(PAID, "cmd_1")


def state(version: int, status: str, offset: int, payment_id: str = PAID) -> Published:
    """A record of ``payment-state``."""
    return Published(
        partition=0, offset=offset, payment_id=payment_id, version=version, status=status
    )


def read_of(version: int, requested_at: float, at: float) -> Read:
    """A read through one ingress."""
    return Read(
        requested_at=requested_at,
        at=at,
        via="a",
        payment_id=PAID,
        version=version,
        status="CREATED",
    )


#: A create whose first try has an unknown result, a repeated webhook, a republication.
GOOD: Final[tuple[AnyEntry, ...]] = (
    FaultBegan(number=90, kind="stream killed", target="stream-1"),
    Invoked(number=1, operation="create", key="k1", via="a"),
    Unknown(number=1, why="timed out"),
    FaultEnded(number=90, kind="stream killed", target="stream-1", effect="pid 7"),
    Invoked(number=2, operation="create", key="k1", via="b"),
    Accepted(number=2, payment_id=PAID, event_id="cmd_1"),
    Invoked(number=3, operation="webhook", key="evt_1", via="a"),
    Accepted(number=3, event_id="evt_1"),
    Invoked(number=4, operation="webhook", key="evt_1", via="b"),
    Accepted(number=4, event_id="evt_1"),
    state(1, "CREATED", 0),
    state(2, "PROCESSING", 1),
    read_of(2, 1.0, 2.0),
    # republished in one transaction: its last record is the newest
    state(1, "CREATED", 3),
    state(2, "PROCESSING", 4),
    state(3, "SUCCEEDED", 5),
    read_of(3, 3.0, 4.0),
    Answered(operation_id=CREATE, status="applied", code=None),
    Answered(operation_id=CREATE, status="done", code=None),
    Answered(operation_id=CREATE, status="applied", code=None),
    AnswerRead(operation_id=CREATE, status="done", code=None),
    Outcome(event_id="cmd_1", payment_id=PAID, kind="command.create", outcome="applied"),
    Outcome(event_id="evt_1", payment_id=PAID, kind="stripe.succeeded", outcome="applied"),
    Stored(payment_id=PAID, version=3, status="SUCCEEDED"),
)


def broken(entries: tuple[AnyEntry, ...]) -> set[str]:
    """The rules that a history breaks."""
    found = check(IndexedHistory(entries, ["stream killed"]))
    return {rule for rule, violations in found.items() if violations}


def without(*kinds: type) -> tuple[AnyEntry, ...]:
    """The good history without its entries of some kinds."""
    return tuple(entry for entry in GOOD if not isinstance(entry, kinds))


def changed(chosen: Callable[[AnyEntry], bool], **fields: object) -> tuple[AnyEntry, ...]:
    """The good history with changed fields in the chosen entries."""
    return tuple(
        msgspec.structs.replace(entry, **fields) if chosen(entry) else entry for entry in GOOD
    )


def test_a_good_history_breaks_no_rule() -> None:
    """Retries, repeats and a republication are allowed."""
    assert broken(GOOD) == set()


def test_a_record_that_left_its_event_id_to_another_form_is_recorded() -> None:
    """Its outcome stands under its place in the log."""
    mine = "evt_1@provider-webhooks/0/7"
    left = changed(lambda e: isinstance(e, Outcome) and e.event_id == "evt_1", event_id=mine)
    assert broken(left) == set()


WRONG: Final[tuple[tuple[str, tuple[AnyEntry, ...]], ...]] = (
    ("no violation at rest", (*GOOD, Violation(code="S1", what="a record without an outcome"))),
    ("accepted is recorded", tuple(e for e in GOOD if getattr(e, "event_id", "") != "evt_1"
                                   or isinstance(e, Accepted))),
    ("every command is answered", without(Answered)),
    ("every command is answered", without(AnswerRead)),
    ("every command is answered", changed(
        lambda e: isinstance(e, Invoked) and e.number == 2, operation="forbidden")),
    ("every command is answered", changed(
        lambda e: isinstance(e, Answered | AnswerRead), status="rejected", code="wrong_status")),
    ("every command is answered", changed(
        lambda e: isinstance(e, Answered | AnswerRead) and e.status == "done", code="x")),
    ("every command is answered", (*GOOD, Answered(
        operation_id=CREATE, status="refused", code="card_declined"))),
    ("one payment per key", changed(
        lambda e: isinstance(e, Accepted) and e.number == 4, event_id="cmd_1")),
    ("at most one outcome", (*GOOD, Outcome(
        event_id="evt_1", payment_id=PAID, kind="stripe.succeeded", outcome="stale"))),
    ("every command was sent", (*GOOD, Outcome(
        event_id="cmd_2", payment_id=PAID, kind="command.refund", outcome="applied"))),
    ("every request was accepted", (*GOOD, Invoked(
        number=5, operation="capture", key="k2", via="a"))),
    ("replica never goes back", (*GOOD, state(2, "PROCESSING", 7))),
    ("versions have no gaps", tuple(
        e for e in GOOD if not (isinstance(e, Published) and e.version == 2))),
    ("versions have no gaps", (*GOOD, state(1, "CREATED", 9, "pay_other"))),
    ("final statuses never change", changed(
        lambda e: isinstance(e, Published) and e.version == 2, status="FAILED")),
    ("final statuses never change", changed(
        lambda e: isinstance(e, Published) and e.offset == 4, status="CREATED")),
    ("reads never go back", (*GOOD, read_of(2, 5.0, 6.0))),
    ("every fault had an effect", changed(lambda e: isinstance(e, FaultEnded), effect="")),
    ("no violation at rest", without(Stored)),
)  # fmt: skip


@pytest.mark.parametrize(("rule", "entries"), WRONG, ids=[rule for rule, _ in WRONG])
def test_one_wrong_entry_breaks_its_rule(rule: str, entries: tuple[AnyEntry, ...]) -> None:
    """The broken rule is reported by its name."""
    assert rule in broken(entries)


def test_every_rule_is_tested() -> None:
    """One of the wrong histories breaks it."""
    assert {rule for rule, _ in WRONG} == check(IndexedHistory(GOOD)).keys()


def test_concurrent_reads_may_be_in_any_order() -> None:
    """A read must not be older only if it began after the other one ended."""
    assert broken((*GOOD, read_of(2, 3.5, 6.0))) == set()
