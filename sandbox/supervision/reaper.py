"""A process that outlives its parent just long enough to kill what the parent left behind.

It reads `+<group>` and `-<group>` lines from its standard input. The input ends when the parent
does, however that happened; then every process group still listed is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys


class Reaper:
    """The parent's side: starts the process and tells it what to look after."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, in a session of its own so that Ctrl-C doesn't reach it."""
        self._process = subprocess.Popen(  # noqa: S603 -- this file, run by this interpreter
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )

    def add(self, group: int) -> None:
        """Kill `group` when this process is gone."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Leave `group` alone again: it has ended, and its number may be given to others."""
        self._tell(f"-{group}\n")

    def stop(self) -> None:
        """End the process; groups that are still listed are killed."""
        if self._process is None:
            return
        self._process.communicate()
        self._process = None

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # somebody killed it; children still die
                self._process.stdin.write(line.encode())


def main() -> None:
    """Listen until the parent is gone, then kill."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
