"""The transaction of a batch on a real Postgres: what it stores, and what is left to publish."""

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.status import Outcome
from ports.records import ConsumedRecord
from postgres.stores import Pool
from tests.support import database
from tests.support.builders import NOW, Log, event_body, object_of, received
from tests.support.programs.folding import ONE, TWO, folded

pytestmark = pytest.mark.anyio


async def test_what_is_written_is_loaded_again(pool: Pool) -> None:
    """The payment with every fact, its events with their positions, and its object's owner."""
    log = Log()
    batch = log.create(ONE), log.webhook(ONE, "succeeded"), log.command(ONE, "refund")
    plan = folded(*batch)
    (first, *_) = await database.write(pool, plan)
    loaded = await database.load(pool, *batch)
    assert loaded.payments == plan.payments
    assert {event_id: known.position for event_id, known in loaded.known.items()} == {
        received(record).event_id: record.position for record in batch
    }
    assert {known.outcome for known in loaded.known.values()} == {Outcome.APPLIED}
    assert {known.publication_id for known in loaded.known.values()} == {first.publication_id}
    assert loaded.owners == {("stripe", object_of(ONE)): ONE}
    assert loaded.quarantined == frozenset()


async def test_the_columns_equal_the_document(pool: Pool) -> None:
    """Status, version and amounts of the payment; its versions, refunds and calls as rows."""
    log = Log(partition=2)
    published = await database.process(
        pool, log.create(ONE), log.webhook(ONE, "succeeded"), log.command(ONE, "refund")
    )
    assert await database.rows(
        pool, "select object_id, status, version, authorized, captured, refunded from payments"
    ) == [(object_of(ONE), "SUCCEEDED", 3, 1000, 1000, 0)]
    assert await database.rows(
        pool, "select version, previous_status, status from payment_versions order by 1"
    ) == [(1, None, "CREATED"), (2, "CREATED", "SUCCEEDED"), (3, "SUCCEEDED", "SUCCEEDED")]
    snapshots = [(p.version, p.snapshot.decode()) for p in published]
    unpublished = "select version, snapshot::text from unpublished_versions order by 1"
    assert await database.rows(pool, unpublished) == snapshots
    last = "select version, snapshot::text from payments"
    assert await database.rows(pool, last) == snapshots[-1:]
    assert await database.rows(pool, "select status, amount, reversed from refunds") == [
        ("REQUESTED", 1000, False)
    ]
    assert await database.rows(
        pool, "select operation, state, attempts from provider_calls order by operation"
    ) == [("create", "due", 0), ("refund", "due", 0)]
    assert await database.rows(pool, "select partition, published_at from publications") == [
        (2, None)
    ]
    assert [json.loads(p.snapshot)["version"] for p in published] == [1, 2, 3]


async def test_the_columns_follow_a_payment_over_batches(pool: Pool) -> None:
    """Its object, its amounts, its refunds and its disputes."""
    log = Log()
    columns = "select object_id, status, authorized, captured, refunded from payments"
    created = {"id": "re_1", "amount": 400, "status": "pending"}
    disputed = {"id": "dp_1", "amount": 1000, "status": "needs_response"}
    due = {"evidence_details": {"due_by": int(NOW.timestamp())}}
    took = {"id": "txn_1", "amount": -1100, "currency": "usd", "reporting_category": "dispute"}
    gave = {**took, "id": "txn_2", "amount": 1100, "reporting_category": "dispute_reversal"}
    await database.process(pool, log.create(ONE))
    await database.process(pool, log.webhook(ONE, "succeeded"))
    await database.process(pool, about(log, "refund.created", created))
    opened = {**disputed, **due, "balance_transactions": []}
    await database.process(pool, about(log, "charge.dispute.created", opened))
    expected = (object_of(ONE), "SUCCEEDED", 1000, 1000, 0)
    assert await database.rows(pool, columns) == [expected]
    disputes = "select status, amount, currency, respond_by, funds from disputes"
    assert await database.rows(pool, disputes) == [("NEEDS_RESPONSE", 1000, "EUR", NOW, [])]
    ended = {**disputed, **due, "status": "won", "balance_transactions": [took, gave]}
    await database.process(pool, about(log, "refund.updated", {**created, "status": "succeeded"}))
    await database.process(pool, about(log, "charge.dispute.closed", ended))
    assert (await database.rows(pool, columns))[0][4] == 400
    assert await database.rows(pool, "select status, reversed from refunds") == [
        ("SUCCEEDED", False)
    ]
    moved = {"currency": "USD", "withdrawn": 1100, "reinstated": 1100, "adjusted": 0}
    assert await database.rows(pool, disputes) == [("WON", 1000, "EUR", None, [moved])]
    await database.process(pool, about(log, "refund.failed", {**created, "status": "failed"}))
    assert await database.rows(pool, "select status, reversed from refunds") == [("FAILED", True)]


def about(log: Log, kind: str, reported: dict[str, Any]) -> ConsumedRecord:
    """An event about a refund or a dispute of payment one."""
    body = event_body(ONE, "succeeded", f"evt_{kind}_{reported['status']}")
    reported = {**reported, "payment_intent": object_of(ONE), "currency": "eur"}
    return log.event(ONE, {**body, "type": kind, "data": {"object": reported}})


async def test_every_partition_has_its_own_publication(pool: Pool) -> None:
    """An owner publishes only the versions of its own partitions."""
    published = await database.process(pool, Log(0).create(ONE), Log(1).create(TWO))
    assert len({p.publication_id for p in published}) == 2
    assert {(p.payment_id, p.partition) for p in published} == {(ONE, 0), (TWO, 1)}


async def test_a_parked_record_is_stored_to_the_byte_until_it_is_applied(pool: Pool) -> None:
    """Its headers and value are in its row until its payment exists."""
    log = Log()
    early = log.webhook(ONE, "succeeded")
    await database.process(pool, early)
    kept = "select outcome, headers, value, version from inbox where event_id = %s"
    event_id = received(early).event_id
    assert await database.rows(pool, kept, event_id) == [
        ("parked", dict(early.headers), early.value, None)
    ]
    loaded = await database.load(pool, log.create(ONE))
    (parked,) = loaded.parked[ONE]
    assert parked.input == received(early).input
    assert parked.record.position == early.position
    await database.process(pool, log.create(ONE))
    assert await database.rows(pool, kept, event_id) == [("applied", None, None, 2)]


async def test_the_order_of_decisions_is_stored(pool: Pool) -> None:
    """Across batches and within each. A parked input comes after the create that applies it."""
    log = Log()
    early = log.webhook(ONE, "processing", "evt_early")
    later = log.webhook(ONE, "succeeded", "evt_later")
    create, two = log.create(ONE), log.create(TWO)
    decided = "select event_id from inbox order by decided"
    await database.process(pool, early)
    await database.process(pool, two)
    assert await database.rows(pool, decided) == [("evt_early",), (received(two).event_id,)]
    await database.process(pool, later, create)
    assert await database.rows(pool, decided) == [
        (received(two).event_id,),
        (received(create).event_id,),
        ("evt_early",),
        ("evt_later",),
    ]


async def test_parked_records_are_loaded_in_the_order_they_came(pool: Pool) -> None:
    """Ordered by the time they were recorded, then by position."""
    log = Log()
    early = [log.webhook(ONE, "processing", f"evt_{name}") for name in "cab"]
    await database.process(pool, early[2])
    async with database.batches(pool).transaction() as transaction:
        await transaction.write(folded(*early[:2]), NOW + timedelta(seconds=1))
    loaded = await database.load(pool, log.create(ONE))
    assert [parked.event_id for parked in loaded.parked[ONE]] == ["evt_b", "evt_c", "evt_a"]


async def test_a_parked_event_with_anothers_object_is_a_conflict(pool: Pool) -> None:
    """The object's owner is loaded for it as well, so the write does not fail."""
    log = Log()
    foreign = log.webhook(TWO, "succeeded", "evt_foreign", id=object_of(ONE))
    await database.process(pool, log.create(ONE), log.result(ONE), foreign)
    await database.process(pool, log.create(TWO))
    outcome = "select outcome from inbox where event_id ~ '^evt_foreign@'"
    assert await database.rows(pool, outcome) == [("conflict",)]


async def test_records_without_effect_are_stored_once(pool: Pool) -> None:
    """Writing a batch again adds no second row for its duplicates and dead letters."""
    log = Log()
    first = log.create(ONE)
    await database.process(pool, first)
    plan = await database.plan_of(pool, log.again(first))
    assert len(plan.duplicates) == 1
    await database.write(pool, plan)
    once = await database.everything(pool)
    await database.write(pool, plan)
    assert await database.everything(pool) == once


@pytest.mark.parametrize("by", ["publication", "partition"])
async def test_every_version_from_the_first_unpublished_one_is_loaded(pool: Pool, by: str) -> None:
    """The latest version is published last again, even if it was published out of order before."""
    log = Log(partition=3)
    made = [
        *await database.process(pool, log.create(ONE)),
        *await database.process(pool, log.result(ONE)),
        *await database.process(pool, log.webhook(ONE, "succeeded")),
    ]
    other = await database.process(pool, Log(partition=1).create(TWO))
    store = database.batches(pool)
    ids = [p.publication_id for p in made]
    await store.mark_published([ids[0], ids[2]], NOW)
    assert len(other) == 1
    found = (
        await store.unpublished(publication_ids=[ids[1]])
        if by == "publication"
        else await store.unpublished(partitions=[3])
    )
    assert database.versions(found) == made[1:]
    await store.mark_published(ids, NOW)
    assert await store.unpublished(publication_ids=ids) == []
    assert await store.unpublished(partitions=[0, 2, 3]) == []


async def test_a_publication_is_marked_once(pool: Pool) -> None:
    """The stored time is that of the first acknowledgement."""
    (made,) = await database.process(pool, Log().create(ONE))
    store = database.batches(pool)
    for minutes in (1, 2):
        await store.mark_published([made.publication_id], NOW + timedelta(minutes=minutes))
    assert await database.rows(pool, "select published_at from publications") == [
        (NOW + timedelta(minutes=1),)
    ]


async def test_what_is_published_leaves(pool: Pool) -> None:
    """Its versions at once, and each partition's publications but the last. Others stay."""
    log, other = Log(partition=3), Log(partition=1)
    made = [
        *await database.process(pool, log.create(ONE)),
        *await database.process(pool, other.create(TWO)),
        *await database.process(pool, log.result(ONE)),
        *await database.process(pool, log.webhook(ONE, "succeeded")),
    ]
    first, of_other, second, third = [p.publication_id for p in made]
    ids = "select publication_id from publications order by 1"
    waiting = "select publication_id from unpublished_versions order by 1"
    store = database.batches(pool)
    await store.mark_published([first], NOW)
    await store.mark_published([of_other, third], NOW)
    assert await database.rows(pool, ids) == [(of_other,), (second,), (third,)]
    assert await database.rows(pool, waiting) == [(second,)]
    await store.mark_published([second], NOW)
    await store.mark_published(
        [p.publication_id for p in await database.process(pool, log.command(ONE, "refund"))], NOW
    )
    assert len(await database.rows(pool, ids)) == 2
    assert await database.rows(pool, waiting) == []
