"""What a test session leaves behind: processes, each with a mark in its environment, and files.

Run as a program it waits until the session is gone, however that happened, kills what carries the
mark, and removes the session's folder.
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
#: A process that was being started while the others were looked for is found the next time.
_ROUNDS: Final = 20
_BETWEEN_ROUNDS_S: Final = 0.1
_KEEP: Final = b"keep"

T = TypeVar("T")


class Watch:
    """The session's side: marks all that it starts, and has somebody watch over them.

    Args:
        environment: the session's own, which its children inherit.
        folder: its temporary files, removed at its end; None where it has none.
    """

    def __init__(self, environment: MutableMapping[str, str], folder: Path | None = None) -> None:
        unmarked = {name: value for name, value in environment.items() if name != MARK}
        self.mark: Final = uuid.uuid4().hex
        environment[MARK] = self.mark
        self._process = subprocess.Popen(  # noqa: S603 -- this file, run by this interpreter
            [sys.executable, __file__, self.mark, *([str(folder)] if folder else ())],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C and a kill of the group don't reach it
            env=unmarked,  # neither this session nor one around it may kill it
        )

    def close(self, within: float = ENDS_WITHIN_S, *, keep: bool = False) -> list[str]:
        """End what has not ended `within` that many seconds, and return its command lines.

        Args:
            within: seconds.
            keep: leave the folder to look into.
        """
        deadline = time.monotonic() + within
        while (left := marked(self.mark)) and time.monotonic() < deadline:
            time.sleep(_BETWEEN_ROUNDS_S)  # it may just be ending
        lines = [" ".join(_of(process, process.cmdline) or ()) for process in left]
        self._process.communicate(_KEEP if keep else b"")
        return lines


def marked(mark: str) -> list[psutil.Process]:
    """The living processes with this mark, apart from this one."""
    found = []
    for process in psutil.process_iter():
        environment = _of(process, process.environ) or {}
        if environment.get(MARK) == mark and process.pid != os.getpid():
            found.append(process)
    return found


def _of(process: psutil.Process, question: Callable[[], T]) -> T | None:
    """An answer about a process; None where it is gone, or another user's."""
    with contextlib.suppress(psutil.Error, OSError):
        if process.status() != psutil.STATUS_ZOMBIE:
            return question()
    return None


def main() -> None:
    """Wait for the end of the input, which ends with the session, then clear up."""
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
