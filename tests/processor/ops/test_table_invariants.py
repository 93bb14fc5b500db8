"""The tables other than ``payments``: each check reports the smallest violation."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from msgspec.structs import replace

from ports.batch import WriteSet
from ports.records import RecordOffset, id_at
from postgres.documents import decode_call, encode_call, encode_payment
from processor.ops.decoded import decode
from processor.ops.table_invariants import CallRow, Tables, VersionPlacement, disagreements
from schemas import identity
from tests.support.builders import Log
from tests.support.programs.folding import ONE, TWO, folded

REFUND_ID: Final = identity.refund_id(ONE, "key")
REFUND_CALL: Final = f"{ONE}:refund:{REFUND_ID}"


def _plan() -> WriteSet:
    log = Log()
    return folded(
        log.create(ONE), log.webhook(ONE, "succeeded"), log.command(ONE, "refund", amount=400)
    )


PLAN: Final = _plan()
DOCUMENTS: Final = {ONE: encode_payment(PLAN.payments[ONE])}
CALLS: Final = tuple(
    CallRow(
        key=c.key,
        payment_id=c.payment_id,
        provider=c.provider,
        operation=c.operation,
        request=encode_call(c),
    )
    for c in PLAN.calls
)
GOOD: Final = Tables(
    refunds={ONE: [(REFUND_ID, "REQUESTED", 400, False)]},
    calls=CALLS,
    inbox={row.received.event_id: (ONE, str(row.outcome)) for row in PLAN.inbox},
    placements=[
        VersionPlacement(
            payment_id=ONE,
            version=v.payment.version,
            event_id=v.event_id,
            publication_id=7,
            partition=0,
        )
        for v in PLAN.versions
    ],
    positions={row.received.event_id: row.received.record.position for row in PLAN.inbox},
)
EVENT: Final = PLAN.versions[0].event_id


def _call(number: int, **changes: Any) -> Mapping[str, Any]:
    rows = list(CALLS)
    rows[number] = replace(rows[number], **changes)
    return {"calls": rows}


def _request(number: int, **changes: Any) -> Mapping[str, Any]:
    call = replace(decode_call(CALLS[number].request or ""), **changes)
    return _call(number, request=encode_call(call))


def _place(**changes: Any) -> Mapping[str, Any]:
    first, *others = GOOD.placements
    return {"placements": [replace(first, **changes), *others]}


#: By violation: the text that reports it, and the change that causes it.
WRONG: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "a refund of another amount and status": (
        f"refund {REFUND_ID} is stored as ('{REFUND_ID}', 'FAILED', 50, False)",
        {"refunds": {ONE: [(REFUND_ID, "FAILED", 50, False)]}},
    ),
    "a refund without a row": ("is stored as None", {"refunds": {}}),
    "another payment's refund": (
        f"{TWO}: refund {REFUND_ID} is stored as",
        {"refunds": {**GOOD.refunds, TWO: GOOD.refunds[ONE]}},
    ),
    "a dispute without a fact": (
        "dispute dis_1 is stored as",
        {"disputes": {ONE: [("dis_1", "LOST", 1, "EUR", None, [])]}},
    ),
    "a call without a row": ("which has no row", {"calls": CALLS[:1]}),
    "a call that was never asked for": (
        f"{ONE}:capture:1 was never asked for",
        {"calls": (*CALLS, replace(CALLS[0], key=f"{ONE}:capture:1"))},
    ),
    "a call of another operation": ("its payment (", _call(0, operation="refund")),
    "a call to another provider": ("its payment (", _request(0, provider="another")),
    "a call on another object": ("is on pi_other", _request(1, object_id="pi_other")),
    "a refund call of more": (
        "refunds 9.99 EUR, its payment asked for 4.00 EUR",
        _request(1, amount=999),
    ),
    "a call that can't be decoded": ("can't be read", _call(0, request="{}")),
    "a done call without a processed result": (
        "its result was never processed",
        _call(1, needs_result=True),
    ),
    "a quarantine without its event": (
        "is quarantined for evt_none",
        {"quarantines": {ONE: "evt_none"}},
    ),
    "a quarantine for another payment's event": (
        "is quarantined for",
        {"quarantines": {TWO: EVENT}},
    ),
    "a quarantined event without a quarantine": (
        "evt_bad is quarantined, but its payment",
        {"inbox": {**GOOD.inbox, "evt_bad": (ONE, "quarantined")}},
    ),
    "a version of no publication": ("publication 7, which is missing", _place(partition=None)),
    "a version for another partition": ("is published to partition 3", _place(partition=3)),
    "an unpublished version that no payment has": ("has no such version", _place(event_id=None)),
}


def test_a_quarantine_names_an_event_that_waits_under_its_records_id() -> None:
    """That of its own payment only."""
    waits = {id_at("evt_bad", RecordOffset("provider-webhooks", 0, 7)): (ONE, "quarantined")}
    own = replace(GOOD, inbox={**GOOD.inbox, **waits}, quarantines={ONE: "evt_bad"})
    assert list(disagreements(decode(DOCUMENTS), own)) == []
    other = replace(own, quarantines={**own.quarantines, TWO: "evt_bad"})
    (violation,) = disagreements(decode(DOCUMENTS), other)
    assert violation == f"{TWO} is quarantined for evt_bad, which is none of its events"


def test_a_correct_system_has_no_violation() -> None:
    """The rows of one plan violate nothing. Undecodable documents are reported by S4."""
    assert list(disagreements(decode(DOCUMENTS), GOOD)) == []
    processed = {**GOOD.inbox, identity.result_event_id(REFUND_CALL): (ONE, "applied")}
    done = replace(GOOD, inbox=processed, **_call(1, needs_result=True))
    assert list(disagreements(decode(DOCUMENTS), done)) == []
    assert list(disagreements(decode({ONE: "{}"}), GOOD)) == []
    assert GOOD.count() == len(GOOD.placements) + 3


@pytest.mark.parametrize("wrong", WRONG)
def test_a_violation_is_reported(wrong: str) -> None:
    """The report names what is wrong."""
    text, change = WRONG[wrong]
    violations = list(disagreements(decode(DOCUMENTS), replace(GOOD, **change)))
    assert [line for line in violations if text in line], violations
