"""A rebuild that was interrupted goes on where it stopped."""

import asyncio
import sys
from typing import Any

import pytest
from psycopg import sql

from messaging import log_seeker
from postgres.ops.rebuild import parts
from processor.ops.rebuild import copying, deciding, job
from processor.ops.rebuild.blocks import LogRecord, pack
from processor.ops.rebuild.progress import Progress
from tests.processor.ops.rebuild.stories import ONE, live, schemas
from tests.processor.ops.rebuild.test_ranges import ranges_of
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.programs.operating import ALL, Operating
from tests.support.rooms import ROOT

pytestmark = pytest.mark.anyio
PARTS = 8

#: Decides three parts and no further. As a program, so that it can be killed.
HANGING = f"""
import asyncio, sys
from postgres.ops.rebuild import parts
from processor.ops.rebuild import deciding, job, run
from tests.support.builders import DECODER, Clock

async def count_parts(*_):
    return {PARTS}

decide, left = deciding.decide_part, [3]

async def hang(*given):
    if not left[0]:
        print("hangs", flush=True)
        await asyncio.sleep(3600)
    left[0] -= 1
    await decide(*given)

parts.count_parts, job.decide_part = count_parts, hang
asyncio.run(run.rebuild(sys.argv[1], sys.argv[2], DECODER.decode, Clock()))
"""


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the parts that are decided, of 8."""
    numbers: list[int] = []

    async def counted(*given: Any) -> None:
        numbers.append(given[3].number)
        await deciding.decide_part(*given)

    monkeypatch.setattr(parts, "count_parts", ranges_of(PARTS))
    monkeypatch.setattr(job, "decide_part", counted)
    return numbers


async def _kill_one(operating: Operating) -> None:
    """Starts a rebuild, and kills it after three parts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGING, operating.group.bootstrap, operating.database_url,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"hangs\n"
        process.kill()
        await process.wait()


async def test_a_killed_rebuild_goes_on(operating: Operating, decided: list[int]) -> None:
    """Finished parts are not decided again, and count; the log is copied on from where it was."""
    mine, log, reports = payment(), Log(), list[Progress | str]()
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
        altered = "update payments set tenant = 'other' returning 1"
        await database.rows(operating.group.pool, altered)
        await _kill_one(operating)
        assert await schemas(operating.group.pool) == {"rebuild_all"}
        await operating.process(worker, log.create(mine))
    found = await operating.rebuilt(report=reports.append)
    assert decided == [3, 4, 5, 6, 7]
    assert next(t.different for t in found.tables if t.table == "payments") == 2
    assert found.inputs in {12, 13}  # the new payment may be in a part that was finished
    assert (found.newer, found.not_checkable) == (0, 0)
    assert isinstance(reports[0], str)
    assert "goes on: 3 of 8 parts are done" in reports[0]
    assert await schemas(operating.group.pool) == set()


async def test_it_begins_again_if_asked_to(operating: Operating, decided: list[int]) -> None:
    """``again`` drops what an interrupted rebuild has done."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    await _kill_one(operating)
    found = await operating.rebuilt(again=True)
    assert decided == list(range(PARTS))
    assert found.is_equal, found.tables
    assert found.inputs == 12


async def test_one_of_some_payments_leaves_it_alone(
    operating: Operating, decided: list[int]
) -> None:
    """A rebuild of one payment neither goes on with one of all, nor ends it."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    await _kill_one(operating)
    assert (await operating.rebuilt(ONE)).is_equal
    assert await schemas(operating.group.pool) == {"rebuild_all"}
    assert decided == [0]
    decided.clear()
    await operating.rebuilt()
    assert decided == [3, 4, 5, 6, 7]


async def test_after_a_crash_of_postgres_it_begins_again(
    operating: Operating, decided: list[int]
) -> None:
    """Unlogged tables are empty then. That is not taken for a rebuild without parts."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    await _kill_one(operating)
    async with operating.group.pool.connection() as connection:
        for table in ("run", "parts", "copied", "log"):
            await connection.execute(
                sql.SQL("truncate {}").format(sql.Identifier("rebuild_all", table))
            )
    found = await operating.rebuilt()
    assert decided == list(range(PARTS))
    assert (found.is_equal, found.inputs) == (True, 12)


async def test_a_copy_that_was_interrupted_goes_on(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is copied is not read again."""
    log, others = Log(), [payment() for _ in range(20)]
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
        await operating.process(worker, *(log.create(other) for other in others))
    begun: list[dict[int, int | None]] = []
    read = log_seeker.records_from

    async def noted(bootstrap: str, topic: str, begin: Any) -> Any:
        begun.append({partition: begin(partition) for partition in ALL})
        async for records in read(bootstrap, topic, begin):
            yield records
            if len(begun) == 3:
                raise ConnectionError("the brokers are gone")

    monkeypatch.setattr(log_seeker, "records_from", noted)
    monkeypatch.setattr(copying, "HELD_BYTES", 1)
    with pytest.raises(ConnectionError):
        await operating.rebuilt()
    before = len(begun)
    found = await operating.rebuilt()
    assert (found.is_equal, found.inputs) == (True, 12 + len(others))
    assert any(begun[before].values()), "it began with the first record again"
    assert all(offset == 0 for offset in begun[0].values())


async def test_a_record_is_stored_once(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was stored is not held any more, however often that happens."""
    stored = list[tuple[str, int, int]]()

    def noted(records: list[LogRecord]) -> bytes:
        stored.extend(record.place for record in records)
        return pack(records)

    monkeypatch.setattr(copying, "pack", noted)
    monkeypatch.setattr(copying, "HELD_BYTES", 1)
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    assert (await operating.rebuilt()).is_equal
    assert len(stored) == len(set(stored)) > 0


async def test_several_processes_share_the_work(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has every other part; together they have all, and their results are added."""
    monkeypatch.setattr(parts, "count_parts", ranges_of(PARTS))
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    found = await operating.rebuilt(jobs=2)
    assert found.is_equal, found.tables
    assert found.inputs == 12
    assert await schemas(operating.group.pool) == set()
