"""Only offsets acknowledged without a gap are committed. Faust's own rule would skip a gap."""

import asyncio
import os
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.types import TP

from messaging.kafka_internals.records import OffsetGap
from processor.stream.faust_internals import consumer
from processor.stream.faust_internals.consumer import (
    FEW,
    MISSED_FOR_S,
    REBALANCE_POLL_S,
    StrictConsumer,
)
from tests.support.handing import CHANGES, HERE, EndedError, Handing


class Offsets(StrictConsumer):
    """A consumer without brokers, whose committed and acknowledged offsets the test sets."""

    def __init__(self, committed: int | None) -> None:
        self._committed_offset = defaultdict(lambda: None, {HERE: committed})
        self._acked = defaultdict(list)
        self._acked_index = defaultdict(set)
        self.assigned = {HERE}
        #: Where the log begins, or the brokers' error.
        self.begins: int | Exception = 0

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        """Returns where the log begins, or raises."""
        if isinstance(self.begins, Exception):
            raise self.begins
        return dict.fromkeys(partitions, self.begins)

    async def missed(self) -> None:
        """The next record has been missing for long, so it is searched for."""
        self.next_offset()
        self._missed_since[HERE] -= MISSED_FOR_S + 1
        self.next_offset()
        assert self._looking is not None
        await self._looking

    def assignment(self) -> set[TP]:
        """Returns the partitions that are assigned to this worker."""
        return self.assigned

    def acknowledge(self, *offsets: int) -> None:
        """Acknowledges these offsets as Faust does."""
        self._acked[HERE] += offsets
        self._acked_index[HERE].update(offsets)

    def next_offset(self) -> int | None:
        """Returns the offset that would be committed now."""
        return self._new_offset(HERE)

    def set_committed(self, offset: int) -> None:
        """Makes this the committed offset."""
        self._committed_offset[HERE] = offset


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the process raises EndedError instead."""

    def end(code: int) -> None:
        raise EndedError(code)

    monkeypatch.setattr(os, "_exit", end)


def test_offsets_acknowledged_without_a_gap_are_committed() -> None:
    """In any order of acknowledgement. Without a new one nothing is committed."""
    offsets = Offsets(220)
    assert offsets.next_offset() is None
    offsets.acknowledge(222, 220, 221)
    assert offsets.next_offset() == 223
    offsets.set_committed(223)
    assert offsets.next_offset() is None


@pytest.mark.parametrize("committed", [220, None])
def test_a_record_that_was_not_acknowledged_is_not_committed(committed: int | None) -> None:
    """Neither a single one nor the very first one is skipped, as Faust would do."""
    offsets = Offsets(committed)
    offsets.acknowledge(*range(221, 240))
    assert offsets.next_offset() is None
    offsets.acknowledge(220)
    assert offsets.next_offset() == (240 if committed else None)


def test_a_refused_commit_is_repeated() -> None:
    """The offsets are removed once the brokers have them, not before."""
    offsets = Offsets(0)
    offsets.acknowledge(0, 1)
    assert offsets.next_offset() == 2
    assert offsets.next_offset() == 2
    offsets.set_committed(2)
    offsets.acknowledge(2)
    assert offsets.next_offset() == 3


@pytest.mark.anyio
async def test_a_gap_that_faust_reports_is_ignored() -> None:
    """Its records were dropped in a rebalance, and will be read again."""
    offsets = Offsets(484)
    await offsets._add_gap(HERE, 485, 493)
    offsets.acknowledge(484, *range(493, 500))
    assert offsets.next_offset() == 485


@pytest.mark.anyio
@pytest.mark.parametrize("begins", [0, 5, KafkaError("no broker"), TimeoutError("no reply")])
async def test_a_record_that_does_not_come_again_ends_the_worker(begins: int | Exception) -> None:
    """Faust has dropped it for good; after a restart it is read again."""
    offsets = Offsets(5)
    offsets.begins = begins
    offsets.acknowledge(6, 7)
    with pytest.raises(EndedError, match=str(os.EX_TEMPFAIL)):
        await offsets.missed()


@pytest.mark.anyio
async def test_records_that_were_deleted_are_not_waited_for() -> None:
    """The log begins at 7. A restart would wait for 5 again, and so for ever."""
    offsets = Offsets(5)
    offsets.begins = 7
    offsets.acknowledge(7, 8)
    await offsets.missed()
    assert offsets.next_offset() == 9


@pytest.mark.anyio
async def test_a_record_is_not_missed_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still arrive."""
    searched = asyncio.Event()
    now = 100.0
    monkeypatch.setattr(consumer, "monotonic", lambda: now)

    def search(*_: Any) -> Any:
        searched.set()
        return searched.wait()

    monkeypatch.setattr(Offsets, "_look_for", search)
    offsets = Offsets(5)
    offsets.acknowledge(6, 7)
    for later in (0.0, MISSED_FOR_S):
        now = 100.0 + later
        assert offsets.next_offset() is None
    assert not searched.is_set()
    now += 0.1
    offsets.next_offset()
    assert searched.is_set()


def test_a_record_of_a_revoked_partition_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch in flight may acknowledge records of a partition after its revocation."""
    now = 100.0
    monkeypatch.setattr(consumer, "monotonic", lambda: now)
    offsets = Offsets(None)
    offsets.assigned = set()
    offsets.acknowledge(6, 7)
    assert offsets.next_offset() is None
    now += MISSED_FOR_S + 1
    offsets.acknowledge(8)
    assert offsets.next_offset() is None
    offsets.assigned = {HERE}
    offsets.set_committed(6)
    offsets.acknowledge(6)
    assert offsets.next_offset() == 7, "records acknowledged before are read again"


@pytest.mark.anyio
async def test_without_a_committed_offset_nothing_is_missed() -> None:
    """The log may begin at any offset, and the first commit begins there."""
    offsets = Offsets(None)
    offsets.acknowledge(6)
    await offsets.missed()
    assert offsets.next_offset() is None
    offsets.begins = 6
    await offsets.missed()
    assert offsets.next_offset() == 7


def test_in_a_quiet_partition_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is quiet."""
    now = 100.0
    monkeypatch.setattr(consumer, "monotonic", lambda: now)
    offsets = Offsets(5)
    for _ in range(3):
        assert offsets.next_offset() is None
        now += MISSED_FOR_S + 1
    assert offsets._looking is None


def test_offsets_without_a_record_are_committed_again_after_a_refusal() -> None:
    """They are removed once the brokers have them. Faust's own list of them never grows."""
    offsets = Offsets(2)
    offsets._absent[HERE][2] = 4
    offsets.acknowledge(4)
    assert (offsets.next_offset(), offsets.next_offset()) == (5, 5)
    assert offsets._acked[HERE] == []
    offsets.set_committed(5)
    assert offsets.next_offset() is None
    assert not offsets._absent[HERE]


def test_nothing_is_missed_while_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery of a table may take minutes. The time begins when records are read again."""
    now = 100.0
    monkeypatch.setattr(consumer, "monotonic", lambda: now)
    offsets = Offsets(5)
    offsets.acknowledge(6)
    assert offsets.next_offset() is None
    offsets.flow_active = False
    now += MISSED_FOR_S + 1
    assert offsets.next_offset() is None
    offsets.flow_active = True
    now += MISSED_FOR_S - 1
    assert offsets.next_offset() is None
    assert offsets._looking is None


def test_a_record_that_comes_late_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time starts again with the next missing record."""
    now = 100.0
    monkeypatch.setattr(consumer, "monotonic", lambda: now)
    offsets = Offsets(5)
    offsets.acknowledge(6)
    assert offsets.next_offset() is None
    now += MISSED_FOR_S
    offsets.acknowledge(5)
    assert offsets.next_offset() == 7
    offsets.set_committed(7)
    offsets.acknowledge(8)
    now += MISSED_FOR_S
    assert offsets.next_offset() is None


def test_faust_still_has_the_methods_we_override() -> None:
    """Faust's consumer has every overridden name."""
    base: Any = StrictConsumer.__mro__[1]
    for name in ("_new_offset", "_add_gap", "verify_event_path"):
        assert callable(getattr(base, name))


def test_no_partition_is_reported_as_hanging_by_a_monitor_that_sees_no_batches() -> None:
    """Faust's own check asks a thread and a monitor, of which there are none here."""
    Offsets(None).verify_event_path(now=1e9, tp=HERE)


class Fetching(StrictConsumer):
    """A consumer that fetches this many records at a time, until it is stopped."""

    should_stop = False

    def __init__(self, records: int, fetches: int) -> None:
        self._fetched = [SimpleNamespace(offset=offset) for offset in range(records)]
        self._left = fetches
        self.app = cast("Any", SimpleNamespace(should_stop=True))
        self.flow_active = True
        self.suspend_flow = cast("Any", SimpleNamespace(wait=self._forever))
        vars(self)["wait_first"] = self._hand_nothing_on

    async def _wait_next_records(self, _timeout: float) -> Any:
        if not self._left:
            raise ConsumerStoppedError
        self._left -= 1
        return {HERE: self._fetched}, {HERE}

    async def _forever(self) -> None:
        await asyncio.Event().wait()

    async def _hand_nothing_on(self, *waited_for: Any) -> None:
        for each in waited_for:
            each.close()

    async def seconds(self) -> float:
        """Returns how long all fetches took."""
        begun = asyncio.get_running_loop().time()
        await self._drain_messages(SimpleNamespace(should_stop=False))
        return asyncio.get_running_loop().time() - begun


@pytest.mark.anyio
async def test_a_small_fetch_waits_for_more_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large fetch does not wait."""
    monkeypatch.setattr(consumer, "GATHER_S", 0.1)
    assert await Fetching(FEW - 1, fetches=3).seconds() >= 3 * 0.1
    assert await Fetching(FEW, fetches=30).seconds() < 30 * 0.1


@pytest.mark.anyio
async def test_records_wait_for_the_end_of_a_rebalance() -> None:
    """Faust empties the queues at its end. Changelog records don't wait: recovery needs them."""
    handing_on = Handing(SimpleNamespace(write=lambda _: None))
    handing_on.app.rebalancing = True
    handing = handing_on.hand_on((CHANGES, 7), (HERE, 570), (HERE, 571))
    await asyncio.sleep(5 * REBALANCE_POLL_S)  # several checks
    assert handing_on.handed == [(CHANGES.topic, 7)]
    handing_on.app.rebalancing = False
    await handing
    assert handing_on.handed[1:] == [(HERE.topic, 570), (HERE.topic, 571)]


@pytest.mark.anyio
async def test_a_record_that_was_read_before_is_not_handed_on_again() -> None:
    """Except the last one. No record of an earlier generation is handed on."""
    handing_on = Handing()
    await handing_on.hand_on((HERE, 4), (HERE, 5))
    await handing_on.hand_on((HERE, 3), (HERE, 4), (HERE, 5), (HERE, 6))
    assert [offset for _, offset in handing_on.handed] == [4, 5, 5, 6]
    handing_on.app.rebalancing = True
    handing = handing_on.hand_on((HERE, 7), (HERE, 8))
    await asyncio.sleep(0)
    handing_on.app.consumer_generation_id = 2
    handing_on.app.rebalancing = False
    await handing
    assert [offset for _, offset in handing_on.handed] == [4, 5, 5, 6]


@pytest.mark.anyio
async def test_offsets_without_a_record_are_committed_past() -> None:
    """Also at the partition's end, but not before all earlier records are acknowledged."""
    handing_on = Handing()
    handing_on._committed_offset = defaultdict(lambda: None, {HERE: 5})
    handing_on._acked = defaultdict(list)
    handing_on._acked_index = defaultdict(set)
    handing_on.assignment = lambda: {HERE}  # type: ignore[method-assign]
    records = [OffsetGap(6, 9, is_last=False), OffsetGap(10, 11, is_last=True)]
    await handing_on._hand_on({HERE: records}, {HERE})
    assert handing_on.handed == []
    assert HERE in handing_on._acked, "else Faust would not commit the partition"
    assert handing_on._new_offset(HERE) is None
    handing_on._acked_index[HERE].add(5)
    assert handing_on._new_offset(HERE) == 9
    handing_on._acked_index[HERE].add(9)
    assert handing_on._new_offset(HERE) == 11
