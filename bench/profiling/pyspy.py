"""Runs py-spy, which samples the stacks of another process's working threads."""

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
#: Timeout of attaching, and of writing the file.
WITHIN_S: Final = 30.0
#: Its output once it is attached.
ATTACHED: Final = b"Sampling process"
#: Its output, in lower case, if the kernel forbids tracing.
FORBIDDEN: Final = ("permission denied", "operation not permitted")
RIGHTS: Final = """\
py-spy is not permitted to trace another process (ptrace). It needs one of these: root; in a
container, the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE); on your own machine,
sysctl kernel.yama.ptrace_scope=0."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording: its file and format.

    Args:
        file: written at the end.
        kind: py-spy's name for the file's format.
        options: further options of ``py-spy record``.
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
        output = await _ended(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if not _is_written(recording.file):
        raise ProfilerError(f"py-spy did not write {recording.file}: {output}")


async def _started(pid: int, recording: Recording) -> Process:
    # One frame per function, not per line.
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
    output = b""
    try:
        async with asyncio.timeout(WITHIN_S):
            while process.stdout and ATTACHED not in output:
                line = await process.stdout.readline()
                if not line:
                    break
                output += line
    except TimeoutError as error:
        raise ProfilerError(f"py-spy is not attached after {WITHIN_S:g} s") from error
    if ATTACHED not in output:
        raise ProfilerError(failure_reason(output.decode(errors="replace")))


async def _ended(process: Process) -> str:
    """Makes it write the file and end. Returns its output."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    except TimeoutError as error:
        raise ProfilerError(f"py-spy did not end within {WITHIN_S:g} s") from error
    return output.decode(errors="replace").strip()


def failure_reason(output: str) -> str:
    """The reason for the user why it ended, from its output."""
    if any(words in output.lower() for words in FORBIDDEN):
        return RIGHTS
    return f"py-spy did not start: {output.strip()}"


def _is_written(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0
