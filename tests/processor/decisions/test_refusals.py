"""An event that is refused for its binding or its form does not use up its event ID."""

from datetime import timedelta
from typing import Any

import pytest

from decisions.fold import fold
from domain.status import Outcome
from ports.batch import InboxEntry, ReadSet
from ports.records import ConsumedRecord, refusal_id
from postgres.batch.transaction import URGENT_WITHIN
from postgres.stores import PostgresOutbox
from schemas.identity import result_event_id
from schemas.topics import PROVIDER_WEBHOOKS
from tests.support import database
from tests.support.builders import PROVIDER, Clock, Log, event_body, payment, received
from tests.support.fake_faust import Table
from tests.support.programs.calling import Caller
from tests.support.programs.folding import ONE
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

#: By defect of one rendering of an event: the changed fields, and the outcome.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another account": ({"account": "acct_other"}, "ignored"),
    "the other mode": ({"livemode": True}, "ignored"),
    "another object": ({"id": "pi_of_somebody"}, "conflict"),
    "another currency": ({"currency": "usd"}, "conflict"),
    "a status of another version": ({"status": "requires_source"}, "ignored"),
    "a version that is not read": ({"api_version": "2013-12-03"}, "ignored"),
}


def rendered(log: Log, payment_id: str, event_id: str, wrong: dict[str, Any]) -> ConsumedRecord:
    """The event that the payment succeeded, with these fields of event or object changed."""
    body = event_body(payment_id, "succeeded", event_id)
    of_event = {"account", "livemode", "api_version"}
    body |= {name: value for name, value in wrong.items() if name in of_event}
    body["data"]["object"] |= {n: v for n, v in wrong.items() if n not in of_event}
    return log.event(payment_id, body)


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("together", [True, False])
async def test_a_refused_rendering_does_not_use_up_the_event_id(
    group: Group, case: str, *, together: bool
) -> None:
    """The wrong rendering is refused and recorded, and the right one is applied.

    Redelivery to a worker with the same dedup table and to one with an empty table changes nothing.
    """
    log, mine = Log(), payment()
    event_id = f"evt_{mine}"
    wrong, outcome = WRONG[case]
    first = [log.create(mine), log.result(mine)]
    bad, good = rendered(log, mine, event_id, wrong), rendered(log, mine, event_id, {})
    again = log.again(good)
    alone = [first, [bad], [bad, good], [good], [again]]
    batches = [[*first, bad, good, again]] if together else alone
    table = Table()
    async with group.worker(0, table=table) as worker:
        for batch in batches:
            await worker.process(*batch)
        assert await group.outcomes(bad, good) == [outcome, "applied"]
        await worker.process(*first, bad, good, again)
    async with group.worker(0) as without_table:
        await without_table.process(bad, good, again)
        await without_table.process(bad, good, again)
    assert await group.outcomes(bad, good, again) == [outcome, "applied", None]
    duplicates = await database.rows(group.pool, 'select topic, "offset" from duplicates')
    assert duplicates == [(PROVIDER_WEBHOOKS, again.position.offset)]
    statement = "select status from payments where payment_id = %s"
    assert await database.rows(group.pool, statement, mine) == [("SUCCEEDED",)]


async def test_a_dead_letter_does_not_use_up_the_event_id(group: Group) -> None:
    """The right rendering is applied afterwards."""
    log, mine = Log(), payment()
    body = event_body(mine, "succeeded", f"evt_{mine}")
    malformed = log.event(mine, {**body, "request": 7})
    good = log.event(mine, body)
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), malformed)
        await worker.process(good)
    assert await group.outcomes(malformed, good) == [None, "applied"]


async def test_a_parked_event_that_is_refused_does_not_use_up_its_event_id(group: Group) -> None:
    """An event names a foreign object before the create's result. Corrected, it is applied."""
    log, mine = Log(), payment()
    event_id = f"evt_{mine}"
    foreign = event_body(mine, "succeeded", event_id, id="pi_of_somebody")
    foreign["request"] = None
    before = log.event(mine, foreign)
    good = rendered(log, mine, event_id, {})
    async with group.worker(0) as worker:
        await worker.process(before)
        await worker.process(log.create(mine))
        assert await group.outcomes(before) == ["parked"]
        await worker.process(log.result(mine))
        assert await group.outcomes(before) == ["conflict"]
        await worker.process(before)
        await worker.process(good)
    assert await group.outcomes(before, good) == ["conflict", "applied"]


async def test_a_duplicate_that_is_read_again_and_refused_has_one_outcome(group: Group) -> None:
    """It came twice while it was parked; then the first was refused, and left the event its ID."""
    log, mine = Log(), payment()
    foreign = event_body(mine, "succeeded", f"evt_{mine}", id="pi_of_somebody") | {"request": None}
    first = log.event(mine, foreign)
    again = log.again(first)
    positions = 'select "offset" from duplicates where topic = %s'
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), first, again)
        assert await group.outcomes(first, again) == ["parked", None]
        await worker.process(log.result(mine))
    duplicates = await database.rows(group.pool, positions, PROVIDER_WEBHOOKS)
    assert duplicates == [(again.position.offset,)]
    async with group.worker(0) as without_table:
        await without_table.process(again)
    assert await group.outcomes(first, again) == ["conflict", "conflict"]
    assert await database.rows(group.pool, positions, PROVIDER_WEBHOOKS) == []


async def test_an_unproved_fact_makes_the_create_due_at_once(caller: Caller, clock: Clock) -> None:
    """Also while the call is in flight: its response may be lost, and the lease is long."""
    calls, lease = PostgresOutbox(caller.pool), timedelta(hours=1)
    (first,) = await calls.claim(PROVIDER, 1, clock(), clock() + lease)
    body = event_body(ONE, "succeeded", "evt_unproved") | {"request": None}
    await database.process(caller.pool, Log().event(ONE, body))
    clock.forward(URGENT_WITHIN.total_seconds())
    (second,) = await calls.claim(PROVIDER, 1, clock(), clock() + lease)
    assert (second.key, second.attempts) == (first.key, first.attempts + 1)
    assert not await calls.finish(first, "acknowledged", clock()), (
        "only the newest claim can finish it"
    )


@pytest.mark.parametrize(
    ("outcome", "status"), [("acknowledged", "FAILED"), ("refused", "CANCELED")]
)
async def test_a_cancel_without_a_cause_waits_for_the_answer_to_our_own(
    group: Group, outcome: str, status: str
) -> None:
    """Only the answer says who cancelled. Until then nothing is decided, however often it comes."""
    log, mine = Log(), payment()
    error = {"code": "card_declined", "charge": "ch_1"}
    declined = log.webhook(mine, "requires_payment_method", last_payment_error=error)
    unnamed = log.event(mine, event_body(mine, "canceled", f"evt_{mine}") | {"request": None})
    refused = {"object_id": None, "refusal": {"code": "already_final", "message": "It was before."}}
    changes = {"outcome": outcome, **(refused if outcome == "refused" else {})}
    key = f"{mine}:cancel:exhausted"
    answer = log.result(mine, "cancel", call_key=key, event_id=result_event_id(key), **changes)
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), log.result(mine), declined)
        await worker.process(unnamed)
        await worker.process(unnamed, log.again(unnamed))
        assert await group.outcomes(unnamed) == ["parked"]
        await worker.process(answer)
    assert await group.outcomes(unnamed, answer) == ["applied", "applied"]
    statement = "select status from payments where payment_id = %s"
    assert await database.rows(group.pool, statement, mine) == [(status,)]


async def test_an_unproved_fact_does_not_repeat_a_done_call(caller: Caller, clock: Clock) -> None:
    """The call's result is on its way."""
    calls, lease = PostgresOutbox(caller.pool), timedelta(seconds=1)
    (claimed,) = await calls.claim(PROVIDER, 1, clock(), clock() + lease)
    assert await calls.finish(claimed, "acknowledged: pi_1", clock())
    body = event_body(ONE, "succeeded", "evt_unproved") | {"request": None}
    await database.process(caller.pool, Log().event(ONE, body))
    clock.forward(3600)
    assert not await calls.claim(PROVIDER, 1, clock(), clock() + lease)


def test_the_event_id_is_the_right_records_also_where_the_refused_one_comes_again() -> None:
    """Otherwise the right record, when it comes again, would be taken for a duplicate of it."""
    log, mine = Log(), payment()
    event_id = f"evt_{mine}"
    bad = received(rendered(log, mine, event_id, {"account": "acct_other"}))
    good = received(rendered(log, mine, event_id, {}))
    refused = InboxEntry(bad.record.position, Outcome.IGNORED, None)
    known = {refusal_id(bad): refused}
    plan = fold(
        ReadSet(payments={}, known=known, quarantined=frozenset(), parked={}, owners={}),
        [received(log.create(mine)), received(log.result(mine)), bad, good],
    )
    assert [row.received.event_id for row in plan.inbox][2:] == [event_id]
    assert plan.resolved == {event_id: good.record.position}


@pytest.mark.parametrize("batches", [[3], [1, 2], [2, 1], [1, 1, 1]])
async def test_what_waited_and_is_refused_leaves_its_event_id_in_any_grouping(
    group: Group, batches: list[int]
) -> None:
    """The create's answer names another object, and the event comes again for another payment.

    Redelivered to workers with the dedup table or with an empty one, it has one outcome.
    """
    log, mine, meant = Log(), payment(), payment()
    body = event_body(mine, "succeeded", f"evt_{mine}", id="pi_of_somebody")
    waits = log.event(mine, body | {"request": None})
    good = rendered(log, meant, f"evt_{mine}", {})
    records, table = iter([waits, log.result(mine), good]), Table()
    async with group.worker(0, table=table) as worker:
        await worker.process(log.create(mine), log.create(meant), log.result(meant))
        for size in batches:
            await worker.process(*(next(records) for _ in range(size)))
        assert await group.outcomes(waits, good) == ["conflict", "applied"]
        await worker.process(waits, good)
    async with group.worker(0) as without_table:
        await without_table.process(good, waits)
    assert await group.outcomes(waits, good) == ["conflict", "applied"]
    assert await database.rows(group.pool, 'select "offset" from duplicates') == []


def test_an_unproved_fact_claims_no_object_of_another_payment() -> None:
    """An unproved fact does not take an object from the payment that owns it."""
    log, mine, other = Log(), payment(), payment()
    body = event_body(mine, "succeeded", "evt_unproved", id="pi_theirs")
    records = [
        log.create(mine),
        log.create(other),
        log.event(mine, {**body, "request": None}),
        log.result(other, object_id="pi_theirs"),
    ]
    plan = fold(
        ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={}),
        [received(record) for record in records],
    )
    assert [str(row.outcome) for row in plan.inbox] == ["applied", "applied", "parked", "applied"]
    assert plan.urgent == {f"{mine}:create"}
