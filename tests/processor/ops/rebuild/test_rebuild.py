"""A rebuild decides the log again and finds each difference from the stored rows."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

import pytest
from psycopg import AsyncConnection

from ports.errors import RebuildRunningError
from postgres.ops.rebuild import work
from postgres.ops.rebuild.differences import TABLES, Connection, Table
from postgres.ops.rebuild.parts import Part
from postgres.stores import PostgresHistory
from processor.ops.rebuild import deciding, job
from processor.ops.rebuild.compare import compare
from processor.ops.rebuild.copying import copy_log
from processor.ops.rebuild.results import TableComparison
from schemas.topics import PROVIDER_WEBHOOKS
from tests.processor.ops.rebuild.stories import ONE, TWO, live, schemas
from tests.support import database
from tests.support.builders import NOW, Log, payment
from tests.support.programs.folding import fail_on
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("chunk", [1, 3, 500])
async def test_a_rebuild_equals_the_stored_rows(
    operating: Operating, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """They are equal for any batch size. The rebuild leaves nothing behind."""
    monkeypatch.setattr(deciding, "CHUNK_INPUTS", chunk)
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    before = await database.everything(operating.group.pool)
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert {table.table: table.checked for table in found.tables} == {
        "payments": 2, "payment_versions": 7, "refunds": 1, "disputes": 1, "provider_calls": 3,
        "operations": 4, "inbox": 12, "open_matters": 1,
    }  # fmt: skip
    assert (found.inputs, found.not_checkable, found.quarantined) == (12, 0, 0)
    assert found.records >= 12
    assert await database.everything(operating.group.pool) == before
    assert await schemas(operating.group.pool) == set()


async def test_a_parked_input_given_up_for_its_age_is_no_difference(operating: Operating) -> None:
    """The log does not show that it was given up, so its payment is left out."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    store = PostgresHistory(operating.group.pool)
    assert await store.give_up_parked(NOW + timedelta(days=1000), 100) == 1
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert (found.inputs, found.not_checkable) == (11, 1)


@pytest.mark.parametrize("exists", [True, False])
async def test_what_was_sent_on_is_no_difference(operating: Operating, *, exists: bool) -> None:
    """Only the payment to which it was sent on decides it again. The one that it named is checked.

    It waited for that payment under its own event ID, which the log still says.
    """
    log, named, meant = Log(), payment("named in the metadata"), payment("meant")
    refund = log.refund_event(meant, "re_1", "succeeded", 300)
    texts = {name.replace("-", "_"): text for name, text in refund.headers.items()}
    misled = log.append(PROVIDER_WEBHOOKS, named.encode(), refund.value, **texts)
    async with operating.group.worker(*ALL) as worker:
        created = [log.create(named)] if exists else []
        await operating.process(worker, *created, misled)
        create, paid = log.create(meant), log.webhook(meant, "succeeded")
        await operating.process(worker, create, log.result(meant), paid)
        store = PostgresHistory(operating.group.pool)
        assert await store.give_up_parked(NOW + timedelta(days=1000), 100) == 1
        (routed,) = await operating.process(worker, refund)
        assert await operating.group.outcomes(routed) == ["applied"]
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert (found.inputs, found.not_checkable) == (4 + len(created), 0)


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
    "open_matters": ("delete from open_matters", "is not stored"),
    "provider_calls": (
        "update provider_calls set call_key = payment_id || ':x' where call_key = %(call)s",
        ":x is stored but was not rebuilt",
    ),
    "operations": (
        "update operations set document = '{}' where payment_id = %(two)s",
        "document",
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
    """Only in its own table, with a description. Nothing is kept, unless the payment is named."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    change, text = DIFFERENCES[table]
    async with operating.group.pool.connection() as connection:
        await connection.execute(change.encode(), {"one": ONE, "two": TWO, "call": f"{ONE}:create"})
    found = await operating.rebuilt()
    assert {t.table: t.different for t in found.tables if t.different} == {table: _ROWS[table]}
    examples = next(t.examples for t in found.tables if t.table == table)
    assert text in "\n".join(examples)
    assert not found.is_equal
    assert await schemas(operating.group.pool) == set()
    named = await operating.rebuilt(ONE, TWO)
    assert [t.different for t in named.tables] == [t.different for t in found.tables]
    assert await schemas(operating.group.pool) == {"rebuild"}


async def test_what_a_call_asked_for_is_compared_while_it_is_kept(operating: Operating) -> None:
    """The request of a call that is done may be gone. One that is there must be the right one."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    done = """
        update provider_calls set request = null, state = 'done', outcome = '', done_at = now()
        where payment_id = %s returning 1"""
    wrong = "update provider_calls set request = '{}' where payment_id = %s returning 1"
    await database.rows(operating.group.pool, done, TWO)
    await database.rows(operating.group.pool, wrong, ONE)
    found = await operating.rebuilt()
    calls = next(t for t in found.tables if t.table == "provider_calls")
    assert (calls.checked, calls.different) == (3, 2)
    assert all(text.startswith(f"{ONE}:") and text.endswith(": request") for text in calls.examples)


async def test_an_altered_snapshot_is_found(operating: Operating) -> None:
    """What clients read is compared to the byte; a client's own data is not printed."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
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
        "update inbox set \"offset\" = -1 where event_id ~ '^evt_foreign@'",
        "update inbox set decided = null where event_id ~ '^evt_foreign@'",
        "delete from inbox where kind = 'command.create' and payment_id = %(two)s",
        """update inbox set outcome = 'duplicate', version = null
           where kind = 'command.create' and payment_id = %(two)s""",
        """update inbox i set topic = o.topic, partition = o.partition, "offset" = o."offset"
           from inbox o where i.event_id ~ '^evt_foreign@' and o.event_id = 'evt_dispute'""",
    ],
)
async def test_inputs_missing_from_the_log_are_counted_as_not_checkable(
    operating: Operating, lost: str
) -> None:
    """The record is gone, its order was never stored, or the create's outcome was deleted.

    The create may have come again since. Or the record is another payment's.
    Such a payment is compared with its own facts instead.
    """
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    async with operating.group.pool.connection() as connection:
        await connection.execute(lost.encode(), {"two": TWO})
        await connection.execute("update payments set captured = 1 where payment_id = %s", [TWO])
    found = await operating.rebuilt()
    assert [t.different for t in found.tables] == [0] * len(TABLES)
    assert (found.not_checkable, found.not_checkable_first) == (1, (TWO,))
    assert next(t.checked for t in found.tables if t.table == "payments") == 1
    assert (found.facts.checked, found.facts.different) == (1, 1)
    assert not found.is_equal
    assert found.facts.examples[0].startswith(f"{TWO} is stored as SUCCEEDED, ")


@pytest.mark.parametrize(
    ("change", "contradictions"),
    [
        ("select 1", 0),
        ("update disputes set amount = 1", 1),
        ("delete from refunds", 1),
        ("update provider_calls set operation = 'capture' where operation = 'refund'", 1),
    ],
)
async def test_all_rows_of_a_payment_that_is_not_checkable_are_compared_with_its_facts(
    operating: Operating, change: str, contradictions: int
) -> None:
    """Its refunds, disputes and calls too."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    async with operating.group.pool.connection() as connection:
        await connection.execute("update inbox set decided = null where event_id = 'evt_dispute'")
        await connection.execute(change.encode())
    found = await operating.rebuilt()
    assert found.not_checkable_first == (ONE,)
    assert (found.facts.checked, found.facts.different) == (1, contradictions)


async def test_what_comes_after_the_log_was_copied_is_no_difference(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payments with such an input are left out, and counted."""
    mine, log = payment(), Log()
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)

        async def meanwhile(*given: Any) -> None:
            await copy_log(*given)
            await operating.process(worker, log.create(mine), log.webhook(TWO, "canceled"))

        monkeypatch.setattr(job, "copy_log", meanwhile)
        found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert (found.newer, found.not_checkable) == (2, 0)
    assert found.inputs == 12 - 4


async def test_a_rebuild_blocks_no_worker(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction holds no lock that batches take, and sees nothing that they write."""
    mine, log = payment(), Log()
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)

        async def meanwhile(
            connection: Connection, stored: str, table: Table, part: Part, left_out: Collection[str]
        ) -> TableComparison:
            if table is TABLES[0]:  # everything is decided again by now
                await operating.process(worker, log.create(mine), log.webhook(ONE, "canceled"))
            return await compare(connection, stored, table, part, left_out)

        monkeypatch.setattr(deciding, "compare", meanwhile)
        async with asyncio.timeout(60):
            found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert (found.inputs, found.newer) == (12, 0)


async def test_one_rebuild_at_a_time(operating: Operating, own_database: str) -> None:
    """Two would share one schema. The second is refused and changes nothing."""
    async with await AsyncConnection.connect(own_database, autocommit=True) as other:
        await work.lock(other)
        async with asyncio.timeout(20):
            with pytest.raises(
                RebuildRunningError, match="only one can, be it of all payments or of some"
            ):
                await operating.rebuilt()
