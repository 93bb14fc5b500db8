"""A payment is bound to the account of its create: what comes for any other changes nothing."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest
from msgspec.structs import replace

from decisions.decode import Decoder
from decisions.decode_failure import unforeseen
from decisions.fold import fold
from ports.batch import ReadSet, WriteSet
from ports.provider import Account
from ports.records import ConsumedRecord, DecodedInput
from providers.stripe.webhooks import StripeTranslator
from schemas import headers
from tests import accounts
from tests.support.builders import Log, event_body, payment
from tests.support.programs.folding import NOTHING, ONE, TWO, outcomes, stored

SECOND: Final = "second"
DECODER: Final = Decoder(
    {
        "stripe": StripeTranslator(accounts.STRIPE),
        SECOND: StripeTranslator(Account("acct_2", is_live=False), SECOND),
    }
)


def _at_second(record: ConsumedRecord) -> ConsumedRecord:
    """Returns the webhook as the second account's endpoint takes it in."""
    event_id = f"{SECOND}:{record.headers[headers.EVENT_ID]}"
    named = {headers.PROVIDER: SECOND, headers.EVENT_ID: event_id}
    return replace(record, headers={**record.headers, **named})


def _folded(records: Sequence[ConsumedRecord], known: ReadSet = NOTHING) -> WriteSet:
    batch = []
    for record in records:
        received = DECODER.decode(record)
        assert isinstance(received, DecodedInput), received.error
        batch.append(received)
    return fold(known, batch)


EVENTS: Final[dict[str, dict[str, Any]]] = {
    "a success": {"status": "succeeded"},
    "a failure": {"status": "requires_payment_method"},
    "an authorization": {"status": "requires_capture"},
    "a cancel": {"status": "canceled"},
}


@pytest.mark.parametrize("what", EVENTS)
@pytest.mark.parametrize("first", ["the create", "the event"])
def test_an_event_of_another_account_changes_nothing(what: str, first: str) -> None:
    """Neither after the create nor before it; it is recorded as a conflict that says why."""
    log = Log()
    made = [log.create(ONE), log.result(ONE)]
    forged = _at_second(log.webhook(ONE, EVENTS[what]["status"], "evt_forged"))
    plan = _folded([*made, forged] if first == "the create" else [forged, *made])
    without = _folded(made)
    assert plan.payments == without.payments
    assert plan.calls == without.calls
    (row,) = (row for row in plan.inbox if row.received.event_id == "second:evt_forged")
    assert (str(row.outcome), row.reason) == (
        "conflict",
        "it came for account second, but this payment's is another",
    )


def test_a_copied_payment_id_amount_and_key_adopts_no_object() -> None:
    """Not even before our own call is acknowledged, with the key of that call as the cause."""
    log = Log()
    create = log.create(ONE)
    key = f"{ONE}:create"
    forged = event_body(ONE, "succeeded", "evt_forged")
    forged["data"]["object"]["id"] = "pi_of_another"
    forged["request"] = {"id": "req_1", "idempotency_key": key}
    plan = _folded([create, _at_second(log.event(ONE, forged))])
    assert plan.payments[ONE].object_id is None
    own = {**forged, "id": "evt_own"}
    assert _folded([create, log.event(ONE, own)]).payments[ONE].object_id == "pi_of_another"


@pytest.mark.parametrize("batches", [1, 2])
def test_it_does_not_use_up_its_event_id(batches: int) -> None:
    """The payment that it is about is sent the same event, in the same batch or a later one."""
    log = Log()
    made = [log.create(ONE), log.result(ONE), log.create(TWO, provider=SECOND), log.result(TWO)]
    about = event_body(TWO, "succeeded", "evt_1")
    misnamed, routed = _at_second(log.event(ONE, about)), _at_second(log.event(TWO, about))
    if batches == 1:
        plan = _folded([*made, misnamed, routed])
        found = [outcome for _, outcome in outcomes(plan)][4:]
    else:
        before = _folded([*made, misnamed])
        plan = _folded([routed], stored(before))
        found = [outcomes(before)[4][1], outcomes(plan)[0][1]]
    assert found == ["conflict", "applied"]
    assert str(plan.payments[TWO].status) == "SUCCEEDED"


@pytest.mark.parametrize("first", ["the other account's", "the payment's own"])
def test_event_ids_are_known_by_account(first: str) -> None:
    """Anybody who has one account's webhook secret can make up the ID of another's event."""
    log = Log()
    own = log.webhook(ONE, "succeeded", "evt_1")
    forged = _at_second(log.webhook(ONE, "canceled", "evt_1"))
    events = [forged, own] if first == "the other account's" else [own, forged]
    plan = _folded([events[0], log.create(ONE), log.result(ONE), events[1]])
    assert str(plan.payments[ONE].status) == "SUCCEEDED"


def test_what_our_own_code_cannot_read_quarantines_no_payment_of_another_account() -> None:
    """A defect of ours on one account's event stops no other account's payment."""
    log = Log()
    made = _folded([log.create(ONE), log.result(ONE)])
    failed = unforeseen(_at_second(log.webhook(ONE, "succeeded", "evt_1")), "ValueError: a defect")
    assert isinstance(failed, DecodedInput)
    plan = fold(stored(made), [failed])
    assert plan.quarantines == {}
    assert [outcome for _, outcome in outcomes(plan)] == ["conflict"]


def test_it_waits_for_no_quarantine() -> None:
    """It has no effect there either, so it is recorded at once."""
    log = Log()
    made = _folded([log.create(ONE), log.result(ONE)])
    known = replace(stored(made), quarantined=frozenset({ONE}))
    plan = _folded([_at_second(log.webhook(ONE, "succeeded", "evt_1"))], known)
    assert [outcome for _, outcome in outcomes(plan)] == ["conflict"]


def test_the_payment_that_has_the_object_gets_the_event() -> None:
    """The router finds it: somebody may have written another payment's ID on its object."""
    log = Log()
    made = [log.create(ONE), log.result(ONE), log.create(TWO, provider=SECOND)]
    about = event_body(TWO, "succeeded", "evt_1")
    misnamed = _at_second(log.event(ONE, about))
    plan = _folded([*made, misnamed])
    assert plan.misrouted == [plan.inbox[-1].received]
    routed = _at_second(log.event(TWO, about))
    plan = _folded([*made, log.result(TWO), routed])
    assert str(plan.payments[TWO].status) == "SUCCEEDED"


def test_objects_are_known_by_account() -> None:
    """One name may mean two objects, one in each account."""
    log = Log()
    other = payment("other")
    same: dict[str, Any] = {"object_id": "pi_same"}
    records = [
        log.create(ONE),
        log.result(ONE, **same),
        log.create(other, provider=SECOND),
        log.result(other, provider=SECOND, **same),
    ]
    plan = _folded(records)
    assert [outcome for _, outcome in outcomes(plan)] == ["applied"] * 4
    assert json.dumps(sorted(plan.identified)) == json.dumps(
        [[SECOND, "pi_same"], ["stripe", "pi_same"]]
    )
