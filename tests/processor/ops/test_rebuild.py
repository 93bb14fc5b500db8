"""A rebuild decides the log again and finds each difference from the stored rows."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import pytest
from psycopg import AsyncConnection

from ports.errors import RebuildRunningError
from ports.records import ConsumedRecord
from postgres.ops import rebuild as shadow
from postgres.ops.rebuild import TABLES, Table
from postgres.stores import Pool, PostgresHistory
from processor.ops import rebuild as rebuilding
from processor.ops.compare import TableComparison, compare
from tests.support import database
from tests.support.builders import NOW, Log, object_of, payment
from tests.support.programs.folding import fail_on
from tests.support.programs.operating import ALL, Operating
from tests.support.programs.stream_worker import Worker

pytestmark = pytest.mark.anyio

ONE: Final = payment("rebuilt one")
TWO: Final = payment("rebuilt two")


def _stories(log: Log) -> Sequence[Sequence[ConsumedRecord]]:
    """Batches of three payments: one reported before creation, refunds, disputes, conflicts."""
    return (
        (log.webhook(ONE, "processing"), log.webhook(TWO, "succeeded")),
        (log.create(ONE), log.result(ONE)),
        (log.webhook(ONE, "succeeded"), log.create(TWO), log.webhook(TWO, "processing")),
        (log.webhook(TWO, "canceled", "evt_foreign", id=object_of(ONE)),),
        (log.command(ONE, "refund"),),
        (log.command(ONE, "cancel"), log.webhook(payment(), "succeeded", "evt_early")),
        (dispute(log, ONE),),
    )  # fmt: skip


def dispute(log: Log, payment_id: str) -> ConsumedRecord:
    """The provider's report of a dispute."""
    reported = {
        "id": "dp_1", "object": "dispute", "payment_intent": object_of(payment_id),
        "status": "needs_response", "amount": 1000, "currency": "eur", "reason": "fraudulent",
        "balance_transactions": [],
    }  # fmt: skip
    body = {
        "id": "evt_dispute", "type": "charge.dispute.created", "created": int(NOW.timestamp()),
        "livemode": False,
        "data": {"object": reported},
    }  # fmt: skip
    return log.event(payment_id, body)


async def _live(operating: Operating, worker: Worker) -> None:
    for records in _stories(Log()):
        await operating.process(worker, *records)


async def _has_shadow(pool: Pool) -> bool:
    found = await database.rows(
        pool, "select 1 from pg_namespace where nspname = %s", shadow.SCHEMA
    )
    return bool(found)


@pytest.mark.parametrize("chunk", [1, 3, 500])
async def test_a_rebuild_equals_the_stored_rows(
    operating: Operating, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """They are equal for any batch size. The rebuild leaves nothing behind."""
    monkeypatch.setattr(rebuilding, "CHUNK_INPUTS", chunk)
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
    before = await database.everything(operating.group.pool)
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert {table.table: table.checked for table in found.tables} == {
        "payments": 2, "payment_versions": 7, "refunds": 1, "disputes": 1, "provider_calls": 3,
        "inbox": 12,
    }  # fmt: skip
    assert (found.inputs, found.not_checkable, found.quarantined) == (12, 0, 0)
    assert found.records >= 12
    assert await database.everything(operating.group.pool) == before
    assert not await _has_shadow(operating.group.pool)


async def test_a_parked_input_given_up_for_its_age_is_no_difference(operating: Operating) -> None:
    """The log does not show that it was given up, so its payment is left out."""
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
    store = PostgresHistory(operating.group.pool)
    assert await store.give_up_parked(NOW + timedelta(days=1000), 100) == 1
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert (found.inputs, found.not_checkable) == (11, 1)


#: By table: a change that the log does not contain, and how it is described.
DIFFERENCES: Final[Mapping[str, tuple[str, str]]] = {
    "payments": (
        "update payments set captured = 999 where payment_id = %(one)s",
        "captured in minor units (stored 999, rebuilt 1000)",
    ),
    "payment_versions": (
        "update payment_versions set event_id = 'evt' where payment_id = %(one)s and version = 2",
        "event_id",
    ),
    "refunds": ("update refunds set status = 'FAILED'", "status (stored 'FAILED'"),
    "disputes": ("delete from disputes", "is not stored"),
    "provider_calls": (
        "update provider_calls set call_key = payment_id || ':x' where call_key = %(call)s",
        ":x is stored but was not rebuilt",
    ),
    "inbox": (
        "update inbox set outcome = 'stale' where event_id ~ '^evt_foreign@'",
        "outcome (stored 'stale', rebuilt 'conflict')",
    ),
}
#: A call under another key is two differences: one row is missing, one is unexpected.
_ROWS: Final = {table: 2 if table == "provider_calls" else 1 for table in DIFFERENCES}


async def test_every_table_has_a_difference_to_find() -> None:
    """Every table has a case with a difference."""
    assert DIFFERENCES.keys() == {table.name for table in TABLES}


@pytest.mark.parametrize("table", DIFFERENCES)
async def test_a_difference_is_found(operating: Operating, table: str) -> None:
    """Only in its own table, with a description. The shadow schema is kept for inspection."""
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
    change, text = DIFFERENCES[table]
    async with operating.group.pool.connection() as connection:
        await connection.execute(change.encode(), {"one": ONE, "call": f"{ONE}:create"})
    found = await operating.rebuilt()
    assert {t.table: t.different for t in found.tables if t.different} == {table: _ROWS[table]}
    examples = next(t.examples for t in found.tables if t.table == table)
    assert text in "\n".join(examples)
    assert not found.is_equal
    assert await _has_shadow(operating.group.pool)


async def test_an_altered_snapshot_is_found(operating: Operating) -> None:
    """What clients read is compared to the byte; a client's own data is not printed."""
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
    altered = "update payments set snapshot = '{}' where payment_id = %s returning 1"
    await database.rows(operating.group.pool, altered, ONE)
    found = await operating.rebuilt()
    assert [t.examples for t in found.tables if t.different] == [(f"{ONE}: snapshot",)]


async def test_a_quarantined_and_a_released_payment_make_no_difference(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While quarantined, it is compared as of the last applied input; once released, as a whole."""
    mine, log = payment(), Log()
    async with operating.group.worker(*ALL) as worker:
        with monkeypatch.context() as defect:
            fail_on(defect, mine, ["evt_bad"])
            await operating.process(
                worker,
                log.create(mine),
                log.webhook(mine, "processing", "evt_bad"),
                log.webhook(mine, "succeeded"),
            )
        quarantined = await operating.rebuilt()
        assert (quarantined.is_equal, quarantined.inputs, quarantined.quarantined) == (True, 1, 1)
        await operating.release_and_process(worker)
        later = await operating.request_release(mine)
        assert later.not_quarantined == [mine]
        await operating.process(worker, log.release(mine))
    released = await operating.rebuilt()
    assert released.is_equal, released.tables
    assert (released.inputs, released.quarantined) == (3, 0)


@pytest.mark.parametrize(
    "lost",
    [
        "update inbox set \"offset\" = 1000000000 where event_id ~ '^evt_foreign@'",
        "update inbox set decided = null where event_id ~ '^evt_foreign@'",
        "delete from inbox where kind = 'command.create' and payment_id = %(two)s",
    ],
)
async def test_inputs_missing_from_the_log_are_counted_as_not_checkable(
    operating: Operating, lost: str
) -> None:
    """The record is gone, its order was never stored, or the create's outcome was deleted."""
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
    async with operating.group.pool.connection() as connection:
        await connection.execute(lost.encode(), {"two": TWO})
        await connection.execute("update payments set captured = 1 where payment_id = %s", [TWO])
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert found.not_checkable == 1
    assert next(t.checked for t in found.tables if t.table == "payments") == 1


async def test_a_rebuild_reads_one_snapshot_of_a_running_service(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs decided while the log is read are not reported as missing."""
    mine, log = payment(), Log()
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
        original = shadow.copy_log

        async def meanwhile(
            connection: shadow.Connection, log_records: AsyncIterator[ConsumedRecord]
        ) -> int:
            records = await original(connection, log_records)
            await operating.process(worker, log.create(mine), log.webhook(TWO, "canceled"))
            return records

        monkeypatch.setattr(shadow, "copy_log", meanwhile)
        found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert found.inputs == 12


async def test_a_rebuild_blocks_no_worker(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its long transaction holds no lock that batches take."""
    mine, log = payment(), Log()
    async with operating.group.worker(*ALL) as worker:
        await _live(operating, worker)
        original = compare

        async def meanwhile(
            connection: shadow.Connection, stored: str, table: Table
        ) -> TableComparison:
            if table is TABLES[-1]:  # everything is decided again by now
                await operating.process(worker, log.create(mine), log.webhook(ONE, "canceled"))
            return await original(connection, stored, table)

        monkeypatch.setattr(rebuilding, "compare", meanwhile)
        async with asyncio.timeout(60):
            found = await operating.rebuilt()
    assert found.is_equal, found.tables


async def test_one_rebuild_at_a_time(operating: Operating, own_database: str) -> None:
    """Two would share one schema. The second is refused and changes nothing."""
    async with await AsyncConnection.connect(own_database, autocommit=True) as other:
        await shadow.lock(other)
        async with asyncio.timeout(20):
            with pytest.raises(RebuildRunningError, match="another rebuild"):
                await operating.rebuilt()
