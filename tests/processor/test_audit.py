"""An audit beside a worker: it sees the tables as of one moment."""

import asyncio

import pytest

from processor.audit import gather
from processor.invariants import check
from tests.ingress.harness import until
from tests.processor import database
from tests.processor.builders import NOW, Log, received
from tests.processor.folding import ONE, folded
from tests.processor.worker import Group

pytestmark = pytest.mark.anyio

_BLOCKED = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


async def test_a_batch_between_two_tables_is_no_violation(group: Group, own_database: str) -> None:
    """It is committed after the versions were read and before the payments are."""
    log = Log()
    await database.process(group.pool, log.create(ONE))
    paid = log.webhook(ONE, "succeeded")

    async def waits() -> bool:
        return await database.rows(group.pool, _BLOCKED) == [(1,)]

    async with database.batches(group.pool).transaction() as batch:
        known = await batch.load([received(paid)])
        await batch._connection.execute("lock table payments in access exclusive mode")
        auditing = asyncio.create_task(gather(group.bootstrap, own_database))
        await until(waits, 60)
        await batch.write(folded(paid, known=known), NOW)
    seen = await auditing
    found = check(seen)
    assert (found["S3"], found["S4"], found["S6"]) == ([], [], [])
    assert [v.version for v in seen.versions[ONE]] == [1]
