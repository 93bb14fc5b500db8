"""A table is recovered from its changelog a fetch at a time, whatever stands there."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rocksdict import Options, Rdict

from messaging.kafka_internals.records import OffsetGap
from ports.records import Unreadable
from processor.stream.faust_internals.recovery import NO_KEY
from tests.support.handing import CHANGES, HERE, OFFSET_KEY, EndedError, Handing

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the process raises EndedError instead."""

    def end(code: int) -> None:
        raise EndedError(code)

    monkeypatch.setattr(os, "_exit", end)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Rdict]:
    """A table's partition on the disk."""
    opened = Rdict(str(tmp_path / "table.db"), Options(raw_mode=True))
    yield opened
    opened.close()


async def test_a_table_takes_in_a_fetch_at_once(database: Rdict) -> None:
    """Its disk has every change up to the stored offset. Faust is handed no more than the last."""
    database.put(b"old", b"before")
    handing_on = Handing(database)
    changes = [(b"k", b"1"), (b"old", None), (b"l", b"2"), (b"k", b"3")]
    found = [
        SimpleNamespace(offset=at, key=key, value=value)
        for at, (key, value) in enumerate(changes, 40)
    ]
    await handing_on._hand_on({CHANGES: found}, {CHANGES})
    assert handing_on.handed == [(CHANGES.topic, 43)]
    assert dict(database.items()) == {b"k": b"3", b"l": b"2", OFFSET_KEY: b"43"}


@pytest.mark.parametrize("why", ["not assigned", "not asked for", "in a rebalance"])
async def test_no_other_workers_files_are_written(database: Rdict, why: str) -> None:
    """A partition that was revoked while its records were fetched is left alone."""
    handing_on = Handing(database)
    handing_on.assigned = {HERE} if why == "not assigned" else {HERE, CHANGES}
    handing_on.flow_active = why != "in a rebalance"
    active = set() if why == "not asked for" else {CHANGES}
    found = [SimpleNamespace(offset=1, key=b"k", value=b"v")]
    await handing_on._hand_on({CHANGES: found}, active)
    assert handing_on.handed == []
    assert dict(database.items()) == {}


async def test_a_table_whose_files_can_not_be_written_ends_the_worker() -> None:
    """RocksDB refuses all later writes; a restart opens the files again, or drops them."""

    def write(_: Any) -> None:
        raise OSError("IO error: No space left on device")

    handing_on = Handing(SimpleNamespace(write=write))
    with pytest.raises(EndedError, match=str(os.EX_TEMPFAIL)):
        await handing_on.hand_on((CHANGES, 1))


async def test_a_changelog_with_unusable_records_is_recovered_to_its_end(database: Rdict) -> None:
    """Recovery waits for the last offset, whatever stands there: Faust is handed a deletion."""
    handing_on = Handing(database)
    handed: list[tuple[int, bytes | None, bytes | None]] = []
    vars(handing_on)["_to_message"] = lambda _tp, record: record

    async def note(record: Any) -> None:
        handed.append((record.offset, record.key, record.value))

    handing_on.callback = cast("Any", note)
    for found in (
        [
            SimpleNamespace(offset=1, key=b"k", value=b"v"),
            SimpleNamespace(offset=2, key=None, value=b"v"),
            OffsetGap(3, 5, is_last=False),
        ],
        [SimpleNamespace(offset=5, key=b"k", value=Unreadable(b"", "why"))],
        [OffsetGap(6, 7, is_last=False)],
        [OffsetGap(7, 9, is_last=True)],
    ):
        await handing_on._hand_on({CHANGES: found}, {CHANGES})
    assert handed == [(n, NO_KEY, None) for n in (2, 5, 8)]
    assert dict(database.items()) == {b"k": b"v", OFFSET_KEY: b"8"}
