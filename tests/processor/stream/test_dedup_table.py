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


class Seen:
    """A table of seen events over a stand-in."""

    def __init__(self, clock: Clock) -> None:
        self.table = Table()
        self.seen = DedupTable(self.table, PER_PAYMENT, RETENTION, clock)

    async def remember(
        self, *records: ConsumedRecord, known: dict[str, RecordOffset] | None = None
    ) -> None:
        """A batch of these was processed."""
        await self.seen.remember([received(r) for r in records], known or {})

    def knows(self, record: ConsumedRecord) -> RecordOffset | None:
        """Where its event stood."""
        (position,) = self.seen.positions([received(record)])
        return position

    async def forget(self, partition: int = 0) -> int:
        """A batch of this partition comes by."""
        return await self.seen.forget_old([partition])


@pytest.fixture
def seen(clock: Clock) -> Seen:
    """An empty table."""
    return Seen(clock)


async def test_it_knows_where_an_event_stood(seen: Seen) -> None:
    """Topic, partition and offset of the record that brought it; nothing of others."""
    log = Log(partition=2)
    create, paid, other = log.create(ONE), log.webhook(ONE, "succeeded"), log.create(TWO)
    assert seen.knows(create) is None
    await seen.remember(create, paid)
    assert seen.knows(create) == create.position
    assert seen.knows(log.again(paid)) == paid.position
    assert seen.knows(other) is None


async def test_the_first_place_is_kept(seen: Seen) -> None:
    """A second record of an event does not move it."""
    log = Log()
    create = log.create(ONE)
    await seen.remember(create)
    await seen.remember(log.again(create))
    assert seen.knows(create) == create.position


async def test_what_postgres_knows_better_is_believed(seen: Seen) -> None:
    """Of an event the table had forgotten, the record at hand may be the second."""
    log = Log()
    create = log.create(ONE)
    again = log.again(create)
    await seen.remember(again, known={received(create).event_id: create.position})
    assert seen.knows(again) == create.position


async def test_one_write_per_payment(seen: Seen) -> None:
    """However many of its events a batch has."""
    log = Log()
    await seen.remember(
        log.create(ONE), log.create(TWO), log.result(ONE), log.webhook(ONE, "succeeded")
    )
    assert seen.table.writes == 2


async def test_only_a_payments_latest_events_are_kept(seen: Seen) -> None:
    """The oldest go first; Postgres still knows them."""
    log = Log()
    records = [log.webhook(ONE, "processing", f"evt_{n}") for n in range(5)]
    for record in records:
        await seen.remember(record)
    assert [seen.knows(record) is not None for record in records] == [
        False, False, True, True, True,
    ]  # fmt: skip


async def test_a_silent_payment_leaves_after_the_retention(seen: Seen, clock: Clock) -> None:
    """Not before it is over; one that spoke meanwhile stays with all its events."""
    log = Log()
    silent, early = log.create(TWO), log.create(ONE)
    await seen.remember(silent, early)
    clock.forward(RETENTION.total_seconds())
    assert await seen.forget() == 0
    await seen.remember(log.result(ONE))
    clock.forward(1)
    assert await seen.forget() == 1
    assert seen.knows(silent) is None
    assert seen.knows(early) == early.position


async def test_the_whole_table_is_gone_through_bit_by_bit(seen: Seen, clock: Clock) -> None:
    """A few entries per batch, from where the last look ended, and then from the start again."""
    log = Log()
    ids = [payment(f"seen {number}") for number in range(2 * LOOKED_AT + 5)]
    await seen.remember(*(log.create(payment_id) for payment_id in ids))
    clock.forward(RETENTION.total_seconds() + 1)
    assert [await seen.forget() for _ in range(3)] == [LOOKED_AT, LOOKED_AT, 5]
    assert seen.table.partitions[0] == {}
    await seen.remember(log.create(ONE))
    clock.forward(RETENTION.total_seconds() + 1)
    assert await seen.forget() == 1


async def test_entries_that_stay_are_passed_by(seen: Seen, clock: Clock) -> None:
    """What is not old yet does not keep the look from going on, nor is it looked at twice."""
    log = Log()
    ids = sorted(payment(f"seen {number}") for number in range(2 * LOOKED_AT))
    await seen.remember(log.create(ids[-1]))
    clock.forward(RETENTION.total_seconds() + 1)
    await seen.remember(*(log.create(payment_id) for payment_id in ids[:-1]))
    assert [await seen.forget(), await seen.forget()] == [0, 1]


async def test_each_partition_is_gone_through_on_its_own(seen: Seen, clock: Clock) -> None:
    """A batch looks only at the partitions it has records of: the others may be another's."""
    one, two = Log(0).create(ONE), Log(1).create(TWO)
    await seen.remember(one, two)
    clock.forward(RETENTION.total_seconds() + 1)
    assert await seen.forget(partition=1) == 1
    assert seen.knows(one) == one.position


@pytest.mark.parametrize("value", [b"", b"\xc1", b"garbage", b"\x92\x01\x81\xa5evt_1\x92\x09\x00"])
async def test_what_is_no_entry_is_not_known_and_leaves(seen: Seen, value: bytes) -> None:
    """Whatever stands in the changelog, the table is only the fast path: Postgres knows."""
    create = Log().create(ONE)
    seen.table.partitions[0] = {ONE.encode(): value, b"\xff": b"\xff"}
    assert seen.knows(create) is None
    await seen.remember(create)
    assert seen.knows(create) == create.position
    assert await seen.forget() >= 1
    assert b"\xff" not in seen.table.partitions[0]
