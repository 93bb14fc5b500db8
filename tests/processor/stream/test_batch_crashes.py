"""A batch that crashes after any of its steps has the same result when it is done again."""

import inspect
from typing import Any, Final

import pytest

from ports.records import ConsumedRecord
from postgres.batch import transaction as batch
from schemas import headers
from tests.support import database
from tests.support.builders import Log, payment, received
from tests.support.fake_faust import Table, event
from tests.support.programs.stream_worker import Group, Worker

pytestmark = pytest.mark.anyio


class KilledError(BaseException):
    """Stands for the end of the process: not even error handlers run."""


def killed(monkeypatch: pytest.MonkeyPatch, target: Any, method: str, when: str) -> None:
    """Makes the process end just before or just after this method."""
    original = getattr(target, method)

    async def cut_off(*arguments: Any, **named: Any) -> None:
        if when == "after":
            done = original(*arguments, **named)
            if inspect.isawaitable(done):
                await done
        raise KilledError(f"{when} {method}")

    def cut_off_at_once(*arguments: Any, **named: Any) -> None:
        if when == "after":
            original(*arguments, **named)
        raise KilledError(f"{when} {method}")

    is_async = inspect.iscoroutinefunction(original)
    monkeypatch.setattr(target, method, cut_off if is_async else cut_off_at_once)


#: By the last step before the crash: the part, its method, and the side of it.
CRASHES: Final[dict[str, tuple[str, str, str]]] = {
    "nothing": ("sender", "send", "before"),
    "dead letters sent": ("sender", "send", "after"),
    "rows written, not committed": ("postgres", "write", "after"),
    "committed": ("publisher", "publish", "before"),
    "published": ("publisher", "publish", "after"),
    "publications marked": ("store", "mark_published", "after"),
    "events added": ("dedup", "add", "after"),
    "old events evicted": ("dedup", "evict", "after"),
}
#: Whether the changelog table survives, and whether partitions are assigned again.
AFTERWARDS: Final = {
    "a new worker": (False, True),
    "a new worker with the table": (True, True),
    "the same record again": (False, False),
}


class Story:
    """A batch with one record of each kind, and its expected result."""

    def __init__(self) -> None:
        self.one, self.two = payment(), payment()
        here, there = Log(0), Log(1)
        self.early = there.webhook(self.two, "processing")
        self.create = here.create(self.one)
        self.paid = here.webhook(self.one, "succeeded")
        self.garbage = here.append("payment-commands", b"key", self.one.encode())
        self.again = here.again(self.paid)
        self.create_two = there.create(self.two)
        self.batch: list[ConsumedRecord] = [
            self.early, self.create, self.paid, self.garbage, self.again, self.create_two,
        ]  # fmt: skip

    async def assert_result(self, group: Group) -> None:
        """Each record has its one outcome, each payment its rows. Each version is published."""
        pool = group.pool
        inbox = 'select event_id, outcome, version, "offset" from inbox order by recorded_at'
        assert set(await database.rows(pool, inbox)) == {
            (received(self.create).event_id, "applied", 1, self.create.position.offset),
            (received(self.paid).event_id, "applied", 2, self.paid.position.offset),
            (received(self.create_two).event_id, "applied", 1, self.create_two.position.offset),
            (received(self.early).event_id, "applied", 2, self.early.position.offset),
        }
        placed = 'select topic, partition, "offset" from '
        assert await database.rows(pool, placed + "duplicates") == [at(self.again)]
        assert await database.rows(pool, placed + "dead_letters") == [at(self.garbage)]
        assert len(await database.rows(pool, "select 1 from provider_calls")) == 2
        unmarked = "select 1 from publications where published_at is null"
        assert await database.rows(pool, unmarked) == []
        for payment_id in (self.one, self.two):
            await self._published(group, payment_id)
        dead_letters = await group.dead_letters(self.garbage.value)
        assert {dead[headers.ORIGINAL_OFFSET] for dead in dead_letters} == {"1"}

    async def _published(self, group: Group, payment_id: str) -> None:
        versions = "select version from payment_versions where payment_id = %s order by 1"
        assert await database.rows(group.pool, versions, payment_id) == [(1,), (2,)]
        last = "select version, snapshot::text from payments where payment_id = %s"
        ((version, text),) = await database.rows(group.pool, last, payment_id)
        published = await group.published(payment_id)
        assert {number for number, _ in published} == {1, 2}
        assert published[-1] == (version, text.encode()) == (2, text.encode())


def at(record: ConsumedRecord) -> tuple[str, int, int]:
    """A record's position as a row."""
    place = record.position
    return place.topic, place.partition, place.offset


def plant(monkeypatch: pytest.MonkeyPatch, worker: Worker, crash: str) -> None:
    """Makes the worker end at this step."""
    whose, method, when = CRASHES[crash]
    target = batch if whose == "postgres" else getattr(worker, whose)
    killed(monkeypatch, target, method, when)


@pytest.mark.parametrize("afterwards", AFTERWARDS)
@pytest.mark.parametrize("crash", CRASHES)
async def test_a_batch_done_again_after_a_crash_has_the_same_result(
    group: Group, monkeypatch: pytest.MonkeyPatch, crash: str, afterwards: str
) -> None:
    """Nothing is acknowledged before the crash. Afterwards every record is, in order."""
    story, table = Story(), Table()
    keeps_table, republishes = AFTERWARDS[afterwards]
    async with group.worker(0, 1, table=table) as worker:
        with monkeypatch.context() as planted:
            plant(planted, worker, crash)
            with pytest.raises(KilledError):
                await worker.process(*story.batch)
        assert worker.acked == []
    table = table if keeps_table else Table()
    async with group.worker(0, 1, table=table, republish=republishes) as worker:
        await worker.process(*story.batch)
        assert worker.acked == [record.position for record in story.batch]
        await story.assert_result(group)


async def test_a_batch_without_a_crash_has_the_expected_result(group: Group) -> None:
    """Processing the batch a second time changes nothing."""
    story = Story()
    async with group.worker(0, 1) as worker:
        await worker.process(*story.batch)
        await story.assert_result(group)
        rows = await database.everything(group.pool)
        await worker.process(*story.batch)
        assert await database.everything(group.pool) == rows
        assert worker.acked == 2 * [record.position for record in story.batch]


async def test_after_a_crash_the_records_may_come_in_other_batches(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The division into batches depends on time, but the result does not."""
    story = Story()
    async with group.worker(0, 1) as worker:
        with monkeypatch.context() as planted:
            plant(planted, worker, "committed")
            with pytest.raises(KilledError):
                await worker.process(*story.batch)
    async with group.worker(0, 1, republish=False) as worker:
        for record in story.batch:
            await worker.process(record)
        await story.assert_result(group)


async def test_after_a_crash_between_two_acknowledgements_the_rest_is_read_again(
    group: Group,
) -> None:
    """Acknowledged records are not read again. The others are, and change nothing."""
    story = Story()
    async with group.worker(0, 1) as worker:
        events = [event(record, worker.acked) for record in story.batch]
        killed_at = events[2]

        def end() -> bool:
            raise KilledError("an acknowledgement")

        killed_at.ack = end  # type: ignore[method-assign]  # the process ends here
        with pytest.raises(KilledError):
            await worker.processor.process(events)
        assert worker.acked == [record.position for record in story.batch[:2]]
    async with group.worker(0, 1) as worker:
        await worker.process(*story.batch[2:])
        assert worker.acked == [record.position for record in story.batch[2:]]
        await story.assert_result(group)
