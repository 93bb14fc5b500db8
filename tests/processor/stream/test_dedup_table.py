"""The dedup table has the positions of recent events. It is bounded, and evicts old ones."""

from datetime import timedelta

import msgspec
import pytest

from ports.records import ConsumedRecord, RecordOffset
from processor.stream.dedup_table import CHECKED_PER_BATCH, DedupEntry, DedupTable, short_id
from tests.support.builders import Clock, Log, payment, received
from tests.support.fake_faust import Table
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio

RETENTION = timedelta(hours=1)
PER_PAYMENT = 3


class Dedup:
    """A dedup table over a fake."""

    def __init__(self, clock: Clock) -> None:
        self.table = Table()
        self.dedup = DedupTable(self.table, PER_PAYMENT, RETENTION, clock)

    async def add(
        self, *records: ConsumedRecord, known: dict[str, RecordOffset] | None = None
    ) -> None:
        """Adds a batch of these records."""
        await self.dedup.add([received(r) for r in records], known or {})

    def position_of(self, record: ConsumedRecord) -> RecordOffset | None:
        """Returns the position of the record's event, if it is in the table."""
        (position,) = self.dedup.lookup([received(record)])
        return position

    async def evict(self, partition: int = 0) -> int:
        """Evicts as a batch of this partition does."""
        return await self.dedup.evict([partition])


@pytest.fixture
def dedup(clock: Clock) -> Dedup:
    """An empty table."""
    return Dedup(clock)


async def test_an_added_event_has_its_position(dedup: Dedup) -> None:
    """The position is that of its first record. Events that were not added have none."""
    log = Log(partition=2)
    create, paid, other = log.create(ONE), log.webhook(ONE, "succeeded"), log.create(TWO)
    assert dedup.position_of(create) is None
    await dedup.add(create, paid)
    assert dedup.position_of(create) == create.position
    assert dedup.position_of(log.again(paid)) == paid.position
    assert dedup.position_of(other) is None


async def test_an_event_of_another_partition_is_left_to_postgres(dedup: Dedup) -> None:
    """A record here that has the offset of the one there would count as that one, come again."""
    here, there = Log(partition=0), Log(partition=1)
    used = there.webhook(TWO, "succeeded", "evt_1")
    wrong = here.webhook(ONE, "succeeded", "evt_1")
    assert wrong.position.offset == used.position.offset
    await dedup.add(wrong, known={"evt_1": used.position})
    assert dedup.position_of(wrong) is None


async def test_the_first_position_is_kept(dedup: Dedup) -> None:
    """A second record of the event does not change it."""
    log = Log()
    create = log.create(ONE)
    await dedup.add(create)
    await dedup.add(log.again(create))
    assert dedup.position_of(create) == create.position


async def test_a_position_known_to_postgres_takes_precedence(dedup: Dedup) -> None:
    """If the event was evicted, this may be its second record."""
    log = Log()
    create = log.create(ONE)
    again = log.again(create)
    await dedup.add(again, known={received(create).event_id: create.position})
    assert dedup.position_of(again) == create.position


async def test_a_batch_makes_one_write_per_payment(dedup: Dedup) -> None:
    """However many events of the payment a batch has."""
    log = Log()
    await dedup.add(
        log.create(ONE), log.create(TWO), log.result(ONE), log.webhook(ONE, "succeeded")
    )
    assert dedup.table.writes == 2


async def test_only_a_payments_latest_events_are_kept(dedup: Dedup) -> None:
    """The oldest are evicted first. Postgres still knows them."""
    log = Log()
    records = [log.webhook(ONE, "processing", f"evt_{n}") for n in range(5)]
    for record in records:
        await dedup.add(record)
    assert [dedup.position_of(record) is not None for record in records] == [
        False, False, True, True, True,
    ]  # fmt: skip


async def test_a_silent_payment_is_evicted_after_the_retention(dedup: Dedup, clock: Clock) -> None:
    """Not before it is over. A payment with a newer event stays, with all its events."""
    log = Log()
    silent, early = log.create(TWO), log.create(ONE)
    await dedup.add(silent, early)
    clock.forward(RETENTION.total_seconds())
    assert await dedup.evict() == 0
    await dedup.add(log.result(ONE))
    clock.forward(1)
    assert await dedup.evict() == 1
    assert dedup.position_of(silent) is None
    assert dedup.position_of(early) == early.position


async def test_the_whole_table_is_checked_a_few_entries_at_a_time(
    dedup: Dedup, clock: Clock
) -> None:
    """Each batch continues where the last one stopped, and then from the start again."""
    log = Log()
    ids = [payment(f"known {number}") for number in range(2 * CHECKED_PER_BATCH + 5)]
    await dedup.add(*(log.create(payment_id) for payment_id in ids))
    clock.forward(RETENTION.total_seconds() + 1)
    assert [await dedup.evict() for _ in range(3)] == [CHECKED_PER_BATCH, CHECKED_PER_BATCH, 5]
    assert dedup.table.partitions[0] == {}
    await dedup.add(log.create(ONE))
    clock.forward(RETENTION.total_seconds() + 1)
    assert await dedup.evict() == 1


async def test_entries_that_stay_are_skipped(dedup: Dedup, clock: Clock) -> None:
    """The check continues after an entry that is not old yet, and does not repeat it."""
    log = Log()
    ids = sorted(payment(f"known {number}") for number in range(2 * CHECKED_PER_BATCH))
    await dedup.add(log.create(ids[-1]))
    clock.forward(RETENTION.total_seconds() + 1)
    await dedup.add(*(log.create(payment_id) for payment_id in ids[:-1]))
    assert [await dedup.evict(), await dedup.evict()] == [0, 1]


async def test_each_partition_is_checked_separately(dedup: Dedup, clock: Clock) -> None:
    """A batch checks only its own partitions: others may belong to another worker."""
    one, two = Log(0).create(ONE), Log(1).create(TWO)
    await dedup.add(one, two)
    clock.forward(RETENTION.total_seconds() + 1)
    assert await dedup.evict(partition=1) == 1
    assert dedup.position_of(one) == one.position


@pytest.mark.parametrize("value", [b"", b"\xc1", b"garbage", b"\x92\x01\x81\xa5evt_1\x92\x09\x00"])
async def test_an_undecodable_entry_is_unknown_and_evicted(dedup: Dedup, value: bytes) -> None:
    """The changelog may contain anything: Postgres is the authority."""
    create = Log().create(ONE)
    dedup.table.partitions[0] = {ONE.encode(): value, b"\xff": b"\xff"}
    assert dedup.position_of(create) is None
    await dedup.add(create)
    assert dedup.position_of(create) == create.position
    assert await dedup.evict() >= 1
    assert b"\xff" not in dedup.table.partitions[0]


@pytest.mark.parametrize("topic", [-1, 3])
async def test_an_entry_of_an_unknown_topic_is_unknown(dedup: Dedup, topic: int) -> None:
    """Taken for another topic's position, it would make a first record a duplicate."""
    create = Log().create(ONE)
    entry = DedupEntry(0, {short_id(received(create).event_id): (topic, 0)})
    dedup.table.partitions[0] = {ONE.encode(): msgspec.msgpack.encode(entry)}
    assert dedup.position_of(create) is None
