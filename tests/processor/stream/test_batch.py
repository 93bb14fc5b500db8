"""A batch with concurrent workers, outages of Postgres and duplicates; its counters."""

from typing import Any

import psycopg
import pytest

from ports.batch import CommittedBatch
from ports.errors import BatchConflictError, FencedError, KeyTakenError, StoreUnavailableError
from ports.failures import RETRYABLE_IN_BATCH
from ports.records import ConsumedRecord
from postgres.batch import transaction as store
from processor.stream import batch as batching
from processor.stream.batch import COLLISIONS_MAX
from processor.stream.events import as_record
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.fake_faust import Table, event
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio


async def test_a_broken_connection_is_retried(group: Group, own_database: str) -> None:
    """The batch is tried again, and its input is applied once."""
    create = Log().create(payment())
    async with group.worker(0) as worker:
        with psycopg.connect(own_database, autocommit=True) as admin:
            admin.execute(database.DISCONNECT)
        await worker.process(create)
        assert worker.acked == [create.position]
        assert await group.outcomes(create) == ["applied"]
        lost = "payments_batch_retries_total"
        assert worker.count(lost, error="StoreUnavailableError") >= 1


async def test_a_conflict_with_a_faster_worker_is_retried(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other worker recorded the same event. Once loaded again, the event is known."""
    early = Log().webhook(payment(), "succeeded")
    original, faster = store.write, [await database.plan_of(group.pool, early)]

    async def write(*arguments: Any) -> Any:
        if faster:
            await database.write(group.pool, faster.pop())
        return await original(*arguments)

    async with group.worker(0) as worker:
        with monkeypatch.context() as overtaken:
            overtaken.setattr(store, "write", write)
            await worker.process(early)
        assert worker.acked == [early.position]
        assert await group.outcomes(early) == ["parked"]
        assert await database.rows(group.pool, "select 1 from duplicates") == []
        assert worker.count("payments_batch_retries_total", error="BatchConflictError") == 1


async def test_a_key_that_was_taken_meanwhile_is_retried(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try loads the other worker's row. A lost race quarantines no payment."""
    create, taken = Log().create(payment()), [KeyTakenError("taken")] * (COLLISIONS_MAX - 1)
    async with group.worker(0) as worker:
        commit = worker.processor._commit

        async def late(*arguments: Any) -> CommittedBatch:
            if taken:
                raise taken.pop()
            return await commit(*arguments)

        monkeypatch.setattr(worker.processor, "_commit", late)
        await worker.process(create)
        assert worker.acked == [create.position]
        assert await group.outcomes(create) == ["applied"]
        tries = worker.count("payments_batch_retries_total", error="KeyTakenError")
        assert tries == COLLISIONS_MAX - 1


async def test_a_lasting_outage_ends_the_worker(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives up without an acknowledgement, so the record is read again."""
    monkeypatch.setattr(batching, "RETRY_FOR_S", 0.0)
    create = Log().create(payment())
    async with group.worker(0) as worker:
        await group.pool.close()
        with pytest.raises(StoreUnavailableError):
            await worker.process(create)
        assert worker.acked == []


@pytest.mark.parametrize(
    "failures",
    [[BatchConflictError("faster")], [ZeroDivisionError(), None, StoreUnavailableError()]],
)
async def test_a_retryable_error_quarantines_no_payment(
    group: Group, monkeypatch: pytest.MonkeyPatch, failures: list[Exception | None]
) -> None:
    """Neither in a whole batch, nor in a payment committed alone after a defect."""
    monkeypatch.setattr(batching, "RETRY_FOR_S", 0.0)
    async with group.worker(0) as worker:
        commit = worker.processor._commit

        async def failing(*arguments: Any) -> CommittedBatch:
            failure = failures.pop(0) if failures else None
            if failure is not None:
                raise failure
            return await commit(*arguments)

        monkeypatch.setattr(worker.processor, "_commit", failing)
        with pytest.raises(RETRYABLE_IN_BATCH):
            await worker.process(Log().create(payment()))
        assert worker.acked == []
        assert await database.rows(group.pool, "select payment_id from quarantines") == []


async def test_a_worker_that_lost_its_partition_is_stopped(group: Group) -> None:
    """It publishes and acknowledges nothing. The new owner publishes what it had committed."""
    log, mine = Log(), payment()
    create = log.create(mine)
    async with group.worker(0) as former, group.worker(0) as owner:
        with pytest.raises(FencedError):
            await former.process(create)
        assert former.acked == []
        await owner.process(create)
        assert owner.acked == [create.position]
        assert [version for version, _ in await group.published(mine)] == [1]


async def test_a_new_owner_publishes_the_unpublished_versions_of_its_partitions(
    group: Group,
) -> None:
    """At its assignment, before it reads a record. Other partitions are left to their owners."""
    one, two = payment(), payment()
    await database.process(group.pool, Log(0).create(one), Log(1).create(two))
    async with group.worker(0) as owner:
        assert [version for version, _ in await group.published(one)] == [1]
        assert await group.published(two) == []
        assert owner.count("payments_republished_total") == 1
    unpublished = "select partition from publications where published_at is null"
    assert await database.rows(group.pool, unpublished) == [(1,)]


async def test_an_assignment_between_commit_and_publishing_leaves_the_newest_last(
    group: Group,
) -> None:
    """A batch does not publish an older version after the take-over has published a newer one."""
    log, mine = Log(), payment()
    async with group.worker(0) as worker:
        first = await worker.committed(log.create(mine))
        second = await worker.committed(log.result(mine))
        await worker.processor.on_assigned([0])
        assert [version for version, _ in await group.published(mine)] == [1, 2]
        await worker.processor.publish_and_ack(first)
        assert (await group.published(mine))[-1][0] == 2
        await worker.processor.publish_and_ack(second)
        assert (await group.published(mine))[-1][0] == 2


async def test_a_batch_after_a_redelivered_one_leaves_the_newest_last(group: Group) -> None:
    """A redelivered batch publishes up to the newest version, which a later batch may have made."""
    log, mine = Log(), payment()
    create, result, paid = log.create(mine), log.result(mine), log.webhook(mine, "succeeded")
    async with group.worker(0, republish=False) as crashed:
        await crashed.committed(create)
    async with group.worker(0, republish=False) as worker:
        again = await worker.committed(create)
        second, third = await worker.committed(result), await worker.committed(paid)
        for batch in (again, second, third):
            await worker.processor.publish_and_ack(batch)
            assert (await group.published(mine))[-1][0] == 3


@pytest.mark.parametrize("known_to", ["the table", "Postgres"])
async def test_a_second_record_of_an_event_is_a_duplicate(group: Group, known_to: str) -> None:
    """It has its own row and no effect. The same record again is no duplicate."""
    log, table = Log(), Table()
    create = log.create(payment())
    again = log.again(create)
    async with group.worker(0, table=table) as worker:
        await worker.process(create)
        if known_to == "Postgres":
            table.partitions.clear()
        await worker.process(again)
        await worker.process(again, create)
        duplicates = 'select "offset" from duplicates'
        assert await database.rows(group.pool, duplicates) == [(again.position.offset,)]
        assert await group.outcomes(create, again) == ["applied", None]


async def test_an_event_in_the_dedup_table_needs_no_postgres(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redelivered record is acknowledged even during an outage of Postgres."""
    monkeypatch.setattr(batching, "RETRY_FOR_S", 0.0)
    log = Log()
    batch = log.create(payment()), log.create(payment())
    async with group.worker(0) as worker:
        await worker.process(*batch)
        await group.pool.close()
        await worker.process(*batch)
        assert worker.acked == 2 * [record.position for record in batch]


async def test_every_input_is_counted(group: Group) -> None:
    """By outcome and kind, once it is committed."""
    log, mine = Log(), payment()
    create = log.create(mine)
    async with group.worker(0) as worker:
        await worker.process(create, log.again(create), log.append("payment-commands", None, b""))
        inputs = "payments_inputs_total"
        assert worker.count(inputs, outcome="applied", kind="command.create") == 1
        assert worker.count(inputs, outcome="duplicate", kind="command.create") == 1
        assert worker.count("payments_dead_letters_total") == 1


def test_a_faust_event_becomes_its_record() -> None:
    """Headers as a list or as a mapping; a tombstone is an empty value."""
    record = Log(partition=3).webhook(payment(), "succeeded")
    carried = event(record)
    assert as_record(carried) == record
    carried.message.headers = {name: text.encode() for name, text in record.headers.items()}
    assert as_record(carried) == record
    bare: Any = event(record)
    bare.message.value, bare.message.headers, bare.message.timestamp = None, None, None
    assert as_record(bare) == ConsumedRecord(
        position=record.position, key=record.key, value=b"", headers={}, timestamp_ms=0
    )
