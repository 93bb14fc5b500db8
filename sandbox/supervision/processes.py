"""One child process with its own process group and log; it dies with its parent."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypedDict

from sandbox.errors import ProgramError
from sandbox.supervision.privileges import User

LAST_LINES: Final = 15
_LOG_TAIL_BYTES: Final = 16_384
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Command:
    """What to run.

    Args:
        name: names the process and its log, ``<name>.log``.
        argv: the program and its arguments.
        environment: added to (and winning over) this process's own.
        folder: the working directory; None is the current one.
        stdin: its standard input.
        user: the user to switch to; None does not switch.
        stop_signal: makes the program shut down.
        stop_within: seconds until it is killed instead.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    stdin: str = ""
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0


@dataclass(frozen=True)
class Child:
    """A started command."""

    command: Command
    process: Process
    log: Path

    @property
    def group(self) -> int:
        """The process group; its ID is the child's PID."""
        return self.process.pid

    def failure(self, reason: str) -> ProgramError:
        """An error with this process's name and the end of its log."""
        return ProgramError(self.command.name, f"{reason}; its log is {self.log}", tail(self.log))

    def exit_reason(self) -> str:
        """How the process ended."""
        code = self.process.returncode
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


async def spawn(command: Command, logs: Path) -> Child:
    """Start ``command``; must be called on the main thread.

    Linux kills the child when the *thread* that started it ends, so children of a worker thread
    would die with that thread.

    Raises:
        ProgramError: the program could not be started.
    """
    log = logs / f"{command.name}.log"
    try:
        with _open_log(log) as output:
            process = await asyncio.create_subprocess_exec(
                *command.argv, **_options(command, output)
            )
    except OSError as error:
        raise ProgramError(command.name, f"could not be started: {error}") from error
    if process.stdin is not None:
        process.stdin.write(command.stdin.encode())
        process.stdin.close()
    return Child(command, process, log)


def launch(command: Command, logs: Path) -> subprocess.Popen[bytes]:
    """Start ``command`` as ``spawn`` does, for callers without an event loop.

    Raises:
        ProgramError: the program could not be started.
    """
    try:
        with _open_log(logs / f"{command.name}.log") as output:
            process = subprocess.Popen(command.argv, **_options(command, output))  # noqa: S603 -- the caller's
    except OSError as error:
        raise ProgramError(command.name, f"could not be started: {error}") from error
    if process.stdin is not None:
        with process.stdin as stdin:
            stdin.write(command.stdin.encode())
    return process


async def run(command: Command, logs: Path, *, within: float) -> None:
    """Run ``command`` to its end.

    Raises:
        ProgramError: its exit code was not 0, or it took longer than ``within`` seconds.
    """
    child = await spawn(command, logs)
    try:
        async with asyncio.timeout(within):
            await child.process.wait()
    except TimeoutError as error:
        raise child.failure(f"was not done within {within:g} s") from error
    finally:
        await stop(child)
    if child.process.returncode != 0:
        raise child.failure(child.exit_reason())


async def stop(child: Child) -> None:
    """Shut the child down, then kill what is left of its group."""
    if child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(child.command.stop_signal)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(child.command.stop_within):
                await child.process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.group, signal.SIGKILL)
    await child.process.wait()


class _Options(TypedDict):
    """How every child is started, in the words of ``subprocess``."""

    stdin: int
    stdout: BinaryIO
    stderr: int
    cwd: Path | None
    env: dict[str, str]
    start_new_session: bool
    preexec_fn: Callable[[], None] | None
    user: int | None
    group: int | None
    extra_groups: list[str | int] | None


def _options(command: Command, output: BinaryIO) -> _Options:
    user = command.user
    return {
        "stdin": PIPE if command.stdin else DEVNULL,
        "stdout": output,
        "stderr": STDOUT,
        "cwd": command.folder,
        "env": {**os.environ, **command.environment},
        "start_new_session": True,
        "preexec_fn": _die_with(os.getpid()),
        "user": user.uid if user else None,
        "group": user.gid if user else None,
        "extra_groups": [] if user else None,
    }


def _open_log(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def tail(log: Path, lines: int = LAST_LINES) -> list[str]:
    """The last lines of a log."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def _die_with(parent: int) -> Callable[[], None] | None:
    """Return what a new child runs first: it makes Linux send SIGKILL when its parent dies."""
    if sys.platform != "linux":
        return None
    # Loaded in the parent, because little is safe between fork and exec.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def request_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the request
            os._exit(1)

    return request_signal
