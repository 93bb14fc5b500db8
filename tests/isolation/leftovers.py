"""Removes what a test session leaves: processes, found by a mark in their environment, and files.

As a program it waits until the session has ended, even by kill -9, then kills the marked
processes and removes the session's folder.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Final, TypeVar

import psutil  # type: ignore[import-untyped] # it ships no types

MARK: Final = "TEST_SESSION_MARK"
ENDS_WITHIN_S: Final = 3.0
#: Rounds of the search; a later one finds processes that were starting during an earlier one.
_ROUNDS: Final = 20
_BETWEEN_ROUNDS_S: Final = 0.1
_KEEP: Final = b"keep"

T = TypeVar("T")


class Watch:
    """The session's side: marks its children, and starts the watching program.

    Args:
        environment: the session's environment, which its children inherit.
        folder: its temporary files, removed at its end; None without any.
    """

    def __init__(self, environment: MutableMapping[str, str], folder: Path | None = None) -> None:
        unmarked = {name: value for name, value in environment.items() if name != MARK}
        self.mark: Final = uuid.uuid4().hex
        environment[MARK] = self.mark
        self._process = subprocess.Popen(  # noqa: S603 -- this file, run by this interpreter
            [sys.executable, __file__, self.mark, *([str(folder)] if folder else ())],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C and a kill of the group must not reach it
            env=unmarked,  # no session may kill it by its mark
        )

    def close(self, within: float = ENDS_WITHIN_S, *, keep: bool = False) -> list[str]:
        """Kill the processes that do not end in time, and return their command lines.

        Args:
            within: the time in which they may end, in seconds.
            keep: leave the folder for inspection.
        """
        deadline = time.monotonic() + within
        while (left := marked(self.mark)) and time.monotonic() < deadline:
            time.sleep(_BETWEEN_ROUNDS_S)  # it may be about to end
        lines = [" ".join(_of(process, process.cmdline) or ()) for process in left]
        self._process.communicate(_KEEP if keep else b"")
        return lines


def marked(mark: str) -> list[psutil.Process]:
    """The running processes with this mark, except this one."""
    found = []
    for process in psutil.process_iter():
        environment = _of(process, process.environ) or {}
        if environment.get(MARK) == mark and process.pid != os.getpid():
            found.append(process)
    return found


def _of(process: psutil.Process, attribute: Callable[[], T]) -> T | None:
    """A process's attribute; None if it has ended or belongs to another user."""
    with contextlib.suppress(psutil.Error, OSError):
        if process.status() != psutil.STATUS_ZOMBIE:
            return attribute()
    return None


def main() -> None:
    """Wait for the end of the input, which ends with the session, then clean up."""
    keeps = sys.stdin.buffer.read() == _KEEP
    _kill(sys.argv[1])
    for folder in sys.argv[2:]:
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)


def _kill(mark: str) -> None:
    for _ in range(_ROUNDS):
        left = marked(mark)
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_BETWEEN_ROUNDS_S)


if __name__ == "__main__":
    main()
