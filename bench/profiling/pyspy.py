"""py-spy beside a program under measurement: stacks, sampled from outside, of threads at work."""

import asyncio
import signal
import sysconfig
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.errors import ProfilerError

PROGRAM: Final = Path(sysconfig.get_path("scripts"), "py-spy")
PER_SECOND: Final = 200
#: To read the program's symbols; to write what was seen.
WITHIN_S: Final = 30.0
#: What it prints once it is attached.
ATTACHED: Final = b"Sampling process"
#: What it says where the kernel forbids it to look, in lower case.
FORBIDDEN: Final = ("permission denied", "operation not permitted")
RIGHTS: Final = """\
py-spy may not look into another process (ptrace). It needs one of these: to run as root; in a
container, the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE); on a machine of your own,
sysctl kernel.yama.ptrace_scope=0."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded, and where to.

    Args:
        file: is written at the end.
        kind: py-spy's name for the file's format.
        options: further ones of ``py-spy record``.
        program: py-spy itself.
    """

    file: Path
    kind: Literal["flamegraph", "raw"]
    options: tuple[str, ...] = ()
    program: Path = PROGRAM


@asynccontextmanager
async def recorded(pid: int, recording: Recording) -> AsyncIterator[None]:
    """Samples the process, which must not be stopped (SIGSTOP) at first, until the end.

    Raises ProfilerError.
    """
    process = await _started(pid, recording)
    try:
        await _attached(process)
        yield
        said = await _ended(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if not _is_written(recording.file):
        raise ProfilerError(f"py-spy did not write {recording.file}: {said}")


async def _started(pid: int, recording: Recording) -> Process:
    # One frame for a function, whichever line of it is at work.
    options = ("--function", "--rate", str(PER_SECOND), *recording.options)
    what: Sequence[str] = ("--pid", str(pid), "--format", recording.kind)
    try:
        return await asyncio.create_subprocess_exec(
            recording.program, "record", *what, *options, "--output", recording.file,
            stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise ProfilerError(f"{recording.program} can't be started: {error}") from error


async def _attached(process: Process) -> None:
    said = b""
    try:
        async with asyncio.timeout(WITHIN_S):
            while process.stdout and ATTACHED not in said:
                line = await process.stdout.readline()
                if not line:
                    break
                said += line
    except TimeoutError as error:
        raise ProfilerError(f"py-spy is not attached after {WITHIN_S:g} s") from error
    if ATTACHED not in said:
        raise ProfilerError(why(said.decode(errors="replace")))


async def _ended(process: Process) -> str:
    """Has it write the file and end; answers what it said."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    except TimeoutError as error:
        raise ProfilerError(f"py-spy did not end within {WITHIN_S:g} s") from error
    return said.decode(errors="replace").strip()


def why(said: str) -> str:
    """What to tell a person about what it said before it ended."""
    if any(words in said.lower() for words in FORBIDDEN):
        return RIGHTS
    return f"py-spy did not start: {said.strip()}"


def _is_written(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0
