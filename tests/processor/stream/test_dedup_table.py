"""The table of seen events: a bounded memory of where each event stood, which forgets in time."""

from datetime import timedelta

import pytest

from ports.records import ConsumedRecord, RecordOffset
from processor.stream.dedup_table import LOOKED_AT, DedupTable
from tests.support.builders import Clock, Log, payment, received
from tests.support.fake_faust import Table
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio

RETENTION = timedelta(hours=1)
PER_PAYMENT = 3


class Dedup:
    """A table of seen events over a stand-in."""

    def __init__(self, clock: Clock) -> None:
        self.table = Table()
        self.dedup = DedupTable(self.table, PER_PAYMENT, RETENTION, clock)

    async def add(
        self, *records: ConsumedRecord, known: dict[str, RecordOffset] | None = None
    ) -> None:
        """A batch of these was processed."""
        await self.dedup.add([received(r) for r in records], known or {})

    def knows(self, record: ConsumedRecord) -> RecordOffset | None:
        """Where its event stood."""
        (position,) = self.dedup.lookup([received(record)])
        return position

    async def evict(self, partition: int = 0) -> int:
        """A batch of this partition comes by."""
        return await self.dedup.evict([partition])


@pytest.fixture
def dedup(clock: Clock) -> Dedup:
    """An empty table."""
    return Dedup(clock)


async def test_it_knows_where_an_event_stood(dedup: Dedup) -> None:
    """Topic, partition and offset of the record that brought it; nothing of others."""
    log = Log(partition=2)
    create, paid, other = log.create(ONE), log.webhook(ONE, "succeeded"), log.create(TWO)
    assert dedup.knows(create) is None
    await dedup.add(create, paid)
    assert dedup.knows(create) == create.position
    assert dedup.knows(log.again(paid)) == paid.position
    assert dedup.knows(other) is None


async def test_the_first_place_is_kept(dedup: Dedup) -> None:
    """A second record of an event does not move it."""
    log = Log()
    create = log.create(ONE)
    await dedup.add(create)
    await dedup.add(log.again(create))
    assert dedup.knows(create) == create.position


async def test_what_postgres_knows_better_is_believed(dedup: Dedup) -> None:
    """Of an event the table had forgotten, the record at hand may be the second."""
    log = Log()
    create = log.create(ONE)
    again = log.again(create)
    await dedup.add(again, known={received(create).event_id: create.position})
    assert dedup.knows(again) == create.position


async def test_one_write_per_payment(dedup: Dedup) -> None:
    """However many of its events a batch has."""
    log = Log()
    await dedup.add(
        log.create(ONE), log.create(TWO), log.result(ONE), log.webhook(ONE, "succeeded")
    )
    assert dedup.table.writes == 2


async def test_only_a_payments_latest_events_are_kept(dedup: Dedup) -> None:
    """The oldest go first; Postgres still knows them."""
    log = Log()
    records = [log.webhook(ONE, "processing", f"evt_{n}") for n in range(5)]
    for record in records:
        await dedup.add(record)
    assert [dedup.knows(record) is not None for record in records] == [
        False, False, True, True, True,
    ]  # fmt: skip


async def test_a_silent_payment_leaves_after_the_retention(dedup: Dedup, clock: Clock) -> None:
    """Not before it is over; one that spoke meanwhile stays with all its events."""
    log = Log()
    silent, early = log.create(TWO), log.create(ONE)
    await dedup.add(silent, early)
    clock.forward(RETENTION.total_seconds())
    assert await dedup.evict() == 0
    await dedup.add(log.result(ONE))
    clock.forward(1)
    assert await dedup.evict() == 1
    assert dedup.knows(silent) is None
    assert dedup.knows(early) == early.position


async def test_the_whole_table_is_gone_through_bit_by_bit(dedup: Dedup, clock: Clock) -> None:
    """A few entries per batch, from where the last look ended, and then from the start again."""
    log = Log()
    ids = [payment(f"seen {number}") for number in range(2 * LOOKED_AT + 5)]
    await dedup.add(*(log.create(payment_id) for payment_id in ids))
    clock.forward(RETENTION.total_seconds() + 1)
    assert [await dedup.evict() for _ in range(3)] == [LOOKED_AT, LOOKED_AT, 5]
    assert dedup.table.partitions[0] == {}
    await dedup.add(log.create(ONE))
    clock.forward(RETENTION.total_seconds() + 1)
    assert await dedup.evict() == 1


async def test_entries_that_stay_are_passed_by(dedup: Dedup, clock: Clock) -> None:
    """What is not old yet does not keep the look from going on, nor is it looked at twice."""
    log = Log()
    ids = sorted(payment(f"seen {number}") for number in range(2 * LOOKED_AT))
    await dedup.add(log.create(ids[-1]))
    clock.forward(RETENTION.total_seconds() + 1)
    await dedup.add(*(log.create(payment_id) for payment_id in ids[:-1]))
    assert [await dedup.evict(), await dedup.evict()] == [0, 1]


async def test_each_partition_is_gone_through_on_its_own(dedup: Dedup, clock: Clock) -> None:
    """A batch looks only at the partitions it has records of: the others may be another's."""
    one, two = Log(0).create(ONE), Log(1).create(TWO)
    await dedup.add(one, two)
    clock.forward(RETENTION.total_seconds() + 1)
    assert await dedup.evict(partition=1) == 1
    assert dedup.knows(one) == one.position


@pytest.mark.parametrize("value", [b"", b"\xc1", b"garbage", b"\x92\x01\x81\xa5evt_1\x92\x09\x00"])
async def test_what_is_no_entry_is_not_known_and_leaves(dedup: Dedup, value: bytes) -> None:
    """Whatever stands in the changelog, the table is only the fast path: Postgres knows."""
    create = Log().create(ONE)
    dedup.table.partitions[0] = {ONE.encode(): value, b"\xff": b"\xff"}
    assert dedup.knows(create) is None
    await dedup.add(create)
    assert dedup.knows(create) == create.position
    assert await dedup.evict() >= 1
    assert b"\xff" not in dedup.table.partitions[0]
