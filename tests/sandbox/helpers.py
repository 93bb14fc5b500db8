"""Small programs to supervise, and helpers that wait for them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.supervision.processes import Command
from sandbox.supervision.readiness import Condition
from sandbox.supervision.supervisor import Program

PROJECT = Path(__file__).parents[2]

# Creates a file when it is ready.
SERVES = "import pathlib, time; pathlib.Path({marker!r}).touch(); time.sleep(600)"
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
HAS_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]); "
CHILD = "import time; time.sleep(600) # {mark}"


def exists(path: Path) -> Condition:
    """A condition that holds once ``path`` exists."""
    return lambda: asyncio.to_thread(path.exists)


def program(
    folder: Path,
    name: str,
    *,
    before: str = "",
    needs: tuple[str, ...] = (),
    ready_within: float = 20.0,
    stop_within: float = 5.0,
) -> Program:
    """A program that runs ``before``, becomes ready, and waits until it is stopped."""
    marker = folder / f"{name}.ready"
    command = Command(
        name,
        (sys.executable, "-c", before + SERVES.format(marker=str(marker))),
        stop_within=stop_within,
    )
    return Program(command, exists(marker), ready_within, needs)


def failing(folder: Path, name: str, code: str) -> Program:
    """A program that runs ``code`` and is never ready."""
    return Program(Command(name, (sys.executable, "-c", code)), exists(folder / "never"), 20.0)


def _enable_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def background(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """This interpreter with ``arguments``, in the project's folder, its output in one pipe."""
    return subprocess.Popen(  # noqa: S603 -- this interpreter, a test's own arguments
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a shell's background process ignores Ctrl-C from the start
        preexec_fn=_enable_ctrl_c,  # noqa: PLW1509 -- it does one system call
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for ``condition``; whether it held within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes_with(mark: str) -> list[int]:
    """The living processes whose command line contains ``mark``."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if mark in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found
