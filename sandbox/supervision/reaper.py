"""A helper process that kills its parent's process groups when the parent dies.

It reads ``+<group>`` and ``-<group>`` lines from its standard input. The input ends when the parent
ends, even if that was killed. Then it kills every process group still listed.
"""

import contextlib
import os
import signal
import subprocess
import sys


class Reaper:
    """The parent's side: starts the helper and registers process groups with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the helper in its own session, so that Ctrl-C doesn't reach it."""
        self._process = subprocess.Popen(  # noqa: S603 -- this file, run by this interpreter
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )

    def add(self, group: int) -> None:
        """Register ``group``: it is killed when this process ends."""
        self._write(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Deregister ``group``: it has ended, and the system may reuse its number."""
        self._write(f"-{group}\n")

    def stop(self) -> None:
        """End the helper; it kills the groups that are still registered."""
        if self._process is None:
            return
        self._process.communicate()
        self._process = None

    def _write(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(
                BrokenPipeError
            ):  # it was killed; children still die with their parent
                self._process.stdin.write(line.encode())


def main() -> None:
    """Read until the parent has ended, then kill the groups that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
