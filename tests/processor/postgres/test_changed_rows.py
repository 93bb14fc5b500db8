"""A batch writes the rows it changes, however much is stored of their payments."""

from collections.abc import Sequence
from typing import Final

import pytest

from decisions.fold import fold
from ports.records import ConsumedRecord
from postgres.batch import transaction as store
from postgres.stores import Pool
from tests.support import database
from tests.support.builders import DECODER, NOW, Log, event_body, object_of, payment, received
from tests.support.programs.folding import ONE

pytestmark = pytest.mark.anyio

#: Payments in store; as many as fit on some pages.
MANY: Final = 40
#: Rows that the current transaction has updated, by table; without new index entries: "hot".
_UPDATED: Final = """
    select relname, n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables
    where n_tup_upd > 0 order by 1"""
_INDEXED: Final = """
    select attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid
    where i.indrelid = 'payments'::regclass and (a.attnum = any(i.indkey)
        or pg_get_expr(i.indpred, i.indrelid) ~ ('\\m' || a.attname || '\\M'))"""


async def _updates(pool: Pool, records: Sequence[ConsumedRecord]) -> database.Rows:
    """Writes a batch, and returns what Postgres counted in its transaction."""
    batch = [received(record) for record in records]
    async with pool.connection() as connection:
        loaded = await store.load(connection, batch, DECODER.decode)
        await store.write(connection, fold(loaded, batch), NOW)
        cursor = await connection.execute(_UPDATED)
        return list(await cursor.fetchall())


def _disputed(log: Log, ref: str, status: str) -> ConsumedRecord:
    dispute = {
        "id": ref, "amount": 10, "currency": "eur", "status": status,
        "balance_transactions": [], "payment_intent": object_of(ONE),
    }  # fmt: skip
    body = event_body(ONE, "succeeded", f"evt_{ref}_{status}")
    return log.event(ONE, {**body, "type": "charge.dispute.updated", "data": {"object": dispute}})


async def test_a_refund_of_a_finished_payment_touches_no_index_of_payments(pool: Pool) -> None:
    """The row's new version stays on its page, with room that the page kept for it."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    updated = await _updates(pool, [log.refund_event(ONE, "re_1", "succeeded", 10)])
    assert updated == [("payments", 1, 1)]


async def test_full_pages_of_finished_payments_have_room_for_a_change(pool: Pool) -> None:
    """A payment of each page is refunded, and none has to move to another page."""
    log, many = Log(), [payment() for _ in range(MANY)]
    for each in many:
        await database.process(pool, log.create(each), log.webhook(each, "succeeded"))
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute("vacuum full payments")
        await connection.set_autocommit(False)
    firsts = await database.rows(pool, "select payment_id from payments where ctid::text ~ ',1'")
    assert len(firsts) >= MANY // 5
    for (each,) in firsts:
        refund = log.refund_event(each, f"re_{each}", "succeeded", 10)
        ((_, updated, hot),) = await _updates(pool, [refund])
        assert updated == hot


async def test_no_index_of_payments_has_a_column_that_a_late_webhook_changes(pool: Pool) -> None:
    """Refunds, disputes and late webhooks change these; a status changes early, and seldom."""
    indexed = {row[0] for row in await database.rows(pool, _INDEXED)}
    assert "status" in indexed
    changed_late = {"version", "authorized", "captured", "refunded", "updated_at", "document"}
    assert indexed.isdisjoint(changed_late)


async def test_a_batch_writes_only_the_refunds_that_it_changes(pool: Pool) -> None:
    """Of three refunds of a payment one gets a new status; the others' rows stay untouched."""
    log = Log()
    await database.process(
        pool,
        log.create(ONE),
        log.webhook(ONE, "succeeded"),
        *(log.refund_event(ONE, ref, "pending", 10) for ref in ("re_1", "re_2", "re_3")),
    )
    rows = "select xmin::text, refund_id, status from refunds order by 2"
    before = await database.rows(pool, rows)
    await database.process(pool, log.refund_event(ONE, "re_2", "succeeded", 10))
    after = await database.rows(pool, rows)
    assert len(set(after) - set(before)) == 1
    assert [status for _, _, status in set(after) - set(before)] == ["SUCCEEDED"]


async def test_a_batch_writes_only_the_disputes_that_it_changes(pool: Pool) -> None:
    """Of two disputes of a payment one gets a new status; the other's row stays untouched."""
    log = Log()
    opened = [_disputed(log, ref, "needs_response") for ref in ("dp_1", "dp_2")]
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"), *opened)
    rows = "select xmin::text, dispute_id, status from disputes order by 2"
    before = await database.rows(pool, rows)
    await database.process(pool, _disputed(log, "dp_2", "under_review"))
    changed = set(await database.rows(pool, rows)) - set(before)
    assert [status for _, _, status in changed] == ["UNDER_REVIEW"]


async def test_a_refund_that_only_a_total_reported_leaves_once_it_is_named(pool: Pool) -> None:
    """A charge of an old API version reports 10; then the refund's own report names it."""
    log = Log()
    charge = {
        "id": "ch_1", "amount": 1000, "amount_refunded": 10, "currency": "eur",
        "payment_intent": object_of(ONE),
    }  # fmt: skip
    body = event_body(ONE, "succeeded", "evt_total")
    total = {"type": "charge.refunded", "api_version": "2023-10-16", "data": {"object": charge}}
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    rows = "select status, amount from refunds"
    await database.process(pool, log.event(ONE, {**body, **total, "request": None}))
    assert await database.rows(pool, rows) == [("SUCCEEDED", 10)]
    await database.process(pool, log.refund_event(ONE, "re_1", "pending", 10))
    assert await database.rows(pool, rows) == [("PENDING", 10)]
