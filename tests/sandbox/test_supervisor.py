"""The supervisor starts programs in the order of their needs, and stops them all."""

import asyncio
import dataclasses
import os
import signal
import sys
from pathlib import Path

import pytest

from sandbox.errors import ProgramError
from sandbox.supervision import supervisor as supervisor_module
from sandbox.supervision.processes import Command
from sandbox.supervision.supervisor import Job, State, Step, Supervisor, command_job
from tests.sandbox import helpers
from tests.sandbox.helpers import (
    CHILD,
    HAS_CHILD,
    IGNORES_TERM,
    background,
    failing,
    processes_with,
    program,
)


class ProgressLog:
    """Records a supervisor's progress."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, State]] = []

    def observe(self, name: str, state: State, _seconds: float) -> None:
        """Record one state."""
        self.lines.append((name, state))

    def when(self, name: str, state: State) -> int:
        """The position of a recorded state."""
        return self.lines.index((name, state))


def live(tmp_path: Path, steps: list[Step], progress: ProgressLog | None = None) -> None:
    """Start the steps and stop them."""
    progress = progress or ProgressLog()

    async def main() -> None:
        async with Supervisor(tmp_path / "logs", progress.observe) as supervisor:
            await supervisor.start(steps)

    asyncio.run(main())


def test_a_program_starts_after_what_it_needs_and_stops_before_it(tmp_path: Path) -> None:
    """Needs determine the order of the start, and in reverse of the stop, also across a job."""
    progress = ProgressLog()

    async def nothing() -> None:
        """A job that does nothing."""

    live(
        tmp_path,
        [
            program(tmp_path, "top", needs=("job",)),
            Job("job", nothing, needs=("base",)),
            program(tmp_path, "base"),
        ],
        progress,
    )
    assert progress.when("base", State.READY) < progress.when("job", State.STARTED)
    assert progress.when("job", State.READY) < progress.when("top", State.STARTED)
    assert progress.when("top", State.STOPPED) < progress.when("base", State.STOPPING)


def test_independent_programs_start_concurrently(tmp_path: Path) -> None:
    """Independent programs start concurrently."""
    progress = ProgressLog()
    live(tmp_path, [program(tmp_path, "one"), program(tmp_path, "two")], progress)
    assert {name for name, _ in progress.lines[:2]} == {"one", "two"}
    assert {state for _, state in progress.lines[:2]} == {State.STARTED}


def test_a_child_that_dies_at_start_is_named_with_its_last_log_lines(tmp_path: Path) -> None:
    """The error has the program's name, how it ended, and the end of its log."""
    with pytest.raises(ProgramError) as failure:
        live(tmp_path, [failing(tmp_path, "broken", "print('no disk left'); raise SystemExit(3)")])
    assert failure.value.name == "broken"
    assert "ended with exit code 3" in failure.value.reason
    assert failure.value.last_lines[-1] == "no disk left"


def test_a_failure_ends_the_programs_that_were_up(tmp_path: Path) -> None:
    """After one program's failure no other keeps running."""
    mark = f"mark-{tmp_path}"
    good = program(tmp_path, "good", before=f"_ = {mark!r}; ")
    bad = failing(tmp_path, "bad", "raise SystemExit(1)")
    with pytest.raises(ProgramError):
        live(tmp_path, [good, bad])
    assert processes_with(mark) == []


def test_a_program_that_is_not_ready_in_time_is_a_failure(tmp_path: Path) -> None:
    """Readiness has a deadline, and the error names it."""
    slow = failing(tmp_path, "slow", "import time; time.sleep(600)")
    with pytest.raises(ProgramError, match=r"slow was not ready within 0\.3 s"):
        live(tmp_path, [dataclasses.replace(slow, ready_within=0.3)])


def test_a_program_that_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    """A missing executable is reported like any other failure."""
    command = Command("absent", ("/nonexistent/program",))
    with pytest.raises(ProgramError, match="absent could not be started"):
        live(tmp_path, [command_job(command, tmp_path)])


def test_a_command_that_fails_stops_the_start(tmp_path: Path) -> None:
    """A program that needs a failed command is never started."""
    progress = ProgressLog()
    command = Command("migrate", (sys.executable, "-c", "raise SystemExit('no such table')"))
    steps: list[Step] = [
        command_job(command, tmp_path / "logs"),
        program(tmp_path, "later", needs=("migrate",)),
    ]
    with pytest.raises(ProgramError, match="no such table"):
        live(tmp_path, steps, progress)
    assert ("later", State.STARTED) not in progress.lines


def test_a_command_has_a_deadline(tmp_path: Path) -> None:
    """A command that hangs is killed and named."""
    mark = f"mark-{tmp_path}"
    command = Command("hangs", (sys.executable, "-c", CHILD.format(mark=mark)))
    with pytest.raises(ProgramError, match=r"hangs was not done within 0\.3 s"):
        live(tmp_path, [command_job(command, tmp_path / "logs", within=0.3)])
    assert processes_with(mark) == []


def test_a_program_that_dies_later_is_noticed(tmp_path: Path) -> None:
    """``watch`` raises with the dead program's name and how it ended."""

    async def main() -> None:
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start([program(tmp_path, "steady"), program(tmp_path, "frail")])
            (pid,) = processes_with(str(tmp_path / "frail.ready"))
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                await supervisor.watch()

    with pytest.raises(ProgramError, match="frail was killed by SIGKILL"):
        asyncio.run(main())


REQUESTS_ONE_RESTART = """
import pathlib, sys
marker = pathlib.Path({marker!r})
if not marker.exists():
    marker.touch()
    sys.exit(75)
"""


def test_a_program_that_requests_a_restart_is_restarted(tmp_path: Path) -> None:
    """With its restart code a program is restarted, and the others go on."""
    progress = ProgressLog()
    asking = program(
        tmp_path,
        "asking",
        before=REQUESTS_ONE_RESTART.format(marker=str(tmp_path / "marker")) + "\n",
    )
    live(tmp_path, [dataclasses.replace(asking, restart_code=75)], progress)
    assert [state for name, state in progress.lines if name == "asking"] == [
        State.STARTED,
        State.RESTARTED,
        State.READY,
        State.STOPPING,
        State.STOPPED,
    ]


def test_a_program_that_always_requests_a_restart_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarts are bounded: after the last one the program is reported as failed."""
    monkeypatch.setattr(supervisor_module, "RESTART_WAIT_SECONDS", 0.01)
    progress = ProgressLog()
    restless = dataclasses.replace(
        failing(tmp_path, "restless", "raise SystemExit(75)"), restart_code=75
    )
    with pytest.raises(ProgramError, match="restless ended with exit code 75"):
        live(tmp_path, [restless], progress)
    assert [state for _, state in progress.lines].count(State.RESTARTED) == 5


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """A program that ignores the stop signal is killed in time."""
    mark = f"mark-{tmp_path}"
    stubborn = program(
        tmp_path, "stubborn", before=f"_ = {mark!r}; {IGNORES_TERM}", stop_within=0.3
    )
    live(tmp_path, [stubborn])
    assert processes_with(mark) == []


def test_children_of_a_program_end_with_it(tmp_path: Path) -> None:
    """Stopping reaches the whole process group."""
    mark = f"mark-{tmp_path}"
    parent = program(tmp_path, "parent", before=HAS_CHILD.format(child=CHILD.format(mark=mark)))

    async def main() -> list[int]:
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start([parent])
            return processes_with(mark)

    assert asyncio.run(main()) != []
    assert helpers.wait_until(lambda: processes_with(mark) == [])


SUPERVISING = """
import asyncio, pathlib, sys
from sandbox.supervision.supervisor import Supervisor
from tests.sandbox.helpers import background, CHILD, HAS_CHILD, program

folder, mark = pathlib.Path(sys.argv[1]), sys.argv[2]

async def main():
    child = HAS_CHILD.format(child=CHILD.format(mark=mark))
    async with Supervisor(folder / "logs") as supervisor:
        await supervisor.start([program(folder, "parent", before=child + f"_ = {mark!r}; ")])
        print("up", flush=True)
        await supervisor.watch()

asyncio.run(main())
"""


def test_kill_9_of_the_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the supervisor is killed, its children and grandchildren die too."""
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    with background("-c", SUPERVISING, str(tmp_path), mark) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        assert len(processes_with(mark)) == 3
        supervisor.kill()
    assert helpers.wait_until(lambda: processes_with(mark) == [])


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGINT shuts the supervisor's programs down."""
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    with background("-c", SUPERVISING, str(tmp_path), mark) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(20) != 0
    assert processes_with(mark) == []
