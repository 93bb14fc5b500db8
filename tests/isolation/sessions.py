"""Runs test sessions inside a test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.isolation.environment import SERVERS

ROOT: Final = Path(__file__).parents[2]
PROBES: Final = "tests/isolation/probes.py"
ENDS_WITHIN_S: Final = 120.0


def _ignore_no_signal() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def session(
    folder: Path | None, *arguments: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A running pytest session, killed at the end.

    Args:
        folder: its temporary files, which identify its programs; None: its default.
        arguments: what to run.
        environment: exported to it.
    """
    process = subprocess.Popen(  # noqa: S603 -- pytest, a test's own arguments
        [
            *(sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"),
            *([f"--basetemp={folder}"] if folder else ()),
            *arguments,
        ],
        cwd=ROOT,
        env={**_own(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a shell's background process, or nohup, would ignore some signals
        preexec_fn=_ignore_no_signal,  # noqa: PLW1509 -- it does two system calls
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _own() -> dict[str, str]:
    """The environment without the outer session's servers and workers."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != SERVERS and not name.startswith("PYTEST_XDIST_")
    }


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Waits for the end of a session; returns its exit code and output."""
    output, _ = process.communicate(timeout=ENDS_WITHIN_S)
    return process.returncode, output


def until_up(process: subprocess.Popen[str]) -> None:
    """Wait until a probe reports that it hangs."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.endswith("up\n"):
            return
    raise AssertionError(f"it did not come up:\n{''.join(lines)}")
