"""Profiles: the part of each sample, the shares, and the errors without a profile."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.errors import ProfilerError
from bench.profiling.parts import LOOP, OTHER, PARTS, by_part, part_of
from bench.profiling.profile import as_markdown, with_header
from bench.profiling.pyspy import RIGHTS, Recording, recorded
from sandbox.topology import PROJECT

ROOT = "BaseEventLoop.run_forever (asyncio/base_events.py:607)"
WORKER = f"Worker.execute_from_commandline (mode/worker.py:264);{ROOT}"
LOOP_FRAME = "BaseEventLoop._run_once (asyncio/base_events.py:1922)"
CALLBACK = "Handle._run (asyncio/events.py:80)"
BUSY = "import sys, time\nprint(flush=True)\ndef busy():\n  while True: pass\nbusy()"


def _stack(*frames: str) -> list[str]:
    return [*WORKER.split(";"), LOOP_FRAME, CALLBACK, *frames]


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        (["Agent._execute_actor (faust/agents/agent.py:1)"], "reading through Faust"),
        (["f (processor/stream/batch.py:1)", "decide (domain/decide.py:2)"], "domain"),
        (["f (processor/stream/batch.py:1)", "replace (dataclasses.py:1)"], "batches and retries"),
        (["send (aiokafka/producer/sender.py:9)", "write (asyncio/streams.py:3)"], "publishing"),
        (["f (faust/tables/base.py:1)", "g (faust/topics.py:2)"], "reading through Faust"),
        (["remember (faust/tables/base.py:1)"], "dedup table"),
        (["data_received (asyncio/streams.py:284)"], LOOP),
        ([], LOOP),
    ],
)
def test_a_sample_belongs_to_its_innermost_part(frames: list[str], part: str) -> None:
    """Frames that started the loop, and frames of libraries, do not decide."""
    assert part_of(_stack(*frames)) == part


def test_a_thread_outside_all_parts_is_other() -> None:
    """It is outside the loop and in no part's files."""
    assert part_of(["f (threading.py:1)", "g (json/decoder.py:2)"]) == OTHER


def test_waiting_is_not_counted() -> None:
    """Waiting threads are not counted, even if py-spy reports them as active."""
    lines = [
        f"{';'.join(_stack('f (processor/stream/dedup_table.py:1)'))} 3",
        f"{WORKER};{LOOP_FRAME};EpollSelector.select (selectors.py:468) 90",
        "run (threading.py:982);Condition.wait (threading.py:327) 80",
        f"{WORKER};{LOOP_FRAME} 2",
    ]
    assert by_part(lines) == {"dedup table": 3, LOOP: 2}


@pytest.mark.parametrize("prefix", [each for each in PARTS if each.startswith("processor/")])
def test_the_files_of_a_part_exist(prefix: str) -> None:
    """The samples of a renamed file would count for another part."""
    assert (PROJECT / prefix).exists()


def test_shares_come_greatest_first() -> None:
    """Only working samples count. The commit is shown."""
    lines = [
        f"{';'.join(_stack('f (processor/stream/dedup_table.py:1)'))} 1",
        f"{';'.join(_stack('f (psycopg/cursor.py:1)'))} 3",
    ]
    text = as_markdown(lines, {"commit": "abc"})
    positions = [
        text.index(each) for each in ("Postgres client", "75.0 %", "dedup table", "25.0 %")
    ]
    assert positions == sorted(positions)
    assert "commit: abc" in text


def test_a_profile_without_a_sample_is_an_error() -> None:
    """The worker was never sampled while it worked."""
    with pytest.raises(ProfilerError, match="no sample"):
        as_markdown([], {})


def test_a_graph_has_our_title() -> None:
    """py-spy's title contains paths of the machine."""
    graph = '<svg><!-- by --><text id="title" x="1">py-spy record -o /tmp/x</text></svg>'
    expected = '<svg><text id="title" x="1">commit &lt;abc&gt;</text></svg>'
    assert with_header(graph, "commit <abc>") == expected
    with pytest.raises(ProfilerError, match="no title"):
        with_header("<svg/>", "commit abc")


@pytest.fixture
async def busy() -> AsyncIterator[int]:
    """The process ID of a program that runs ``busy``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BUSY, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    yield process.pid
    process.kill()
    await process.communicate()


def _may_trace() -> bool:
    return os.geteuid() == 0 and sys.platform == "linux"


@pytest.mark.anyio
@pytest.mark.skipif(not _may_trace(), reason="needs the right to trace a process")
async def test_the_real_profiler_samples_a_working_program(busy: int, tmp_path: Path) -> None:
    """It finds the program's only function, in both formats."""
    raw, graph = tmp_path / "x.raw", tmp_path / "x.svg"
    for recording in (Recording(raw, "raw"), Recording(graph, "flamegraph", ("--gil",))):
        async with recorded(busy, recording):
            await asyncio.sleep(0.5)  # the duration of the recording
    assert {line.split(";")[-1].split(" ")[0] for line in raw.read_text().splitlines()} == {"busy"}
    text = with_header(graph.read_text(), "commit abc")
    assert "commit abc" in text
    assert str(tmp_path) not in text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Error: Permission Denied: Try running again with elevated permissions", RIGHTS),
        ("Error: Operation not permitted (os error 1)", RIGHTS),
        ("Error: No python processes found", "py-spy did not start: Error: No python processes"),
    ],
)
async def test_a_failed_profiler_has_a_reason(tmp_path: Path, output: str, expected: str) -> None:
    """Without the right to trace, the error says how to get it. Other reasons are passed on."""
    program = tmp_path / "py-spy"
    program.write_text(f"#!/bin/sh\necho '{output}' >&2\nexit 1\n")
    program.chmod(0o755)
    recording = Recording(tmp_path / "x.raw", "raw", program=program)
    with pytest.raises(ProfilerError) as raised:
        async with recorded(1, recording):
            raise AssertionError("nothing is profiled")
    assert str(raised.value).startswith(expected)


@pytest.mark.anyio
async def test_a_missing_profiler_is_an_error(tmp_path: Path) -> None:
    """Some systems have no wheel of py-spy."""
    recording = Recording(tmp_path / "x.raw", "raw", program=tmp_path / "py-spy")
    with pytest.raises(ProfilerError, match="can't be started"):
        async with recorded(1, recording):
            raise AssertionError("nothing is profiled")
