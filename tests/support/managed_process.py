"""A process that a test starts, signals and restarts, without an event loop."""

import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.supervision.processes import Command, launch


@dataclass
class ManagedProcess:
    """One program under a test's control; it may be started again after its end.

    Args:
        command: what to run.
        logs: the folder of its log, ``<name>.log``.
    """

    command: Command
    logs: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The command's name."""
        return self.command.name

    @property
    def log(self) -> Path:
        """Standard output and error of every start."""
        return self.logs / f"{self.command.name}.log"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the last start. Raises ValueError if there was none."""
        if self._process is None:
            raise ValueError(f"{self.name} was never started")
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it on the main thread; does not wait until it is ready."""
        self._process = launch(self.command, self.logs)

    def end(self, number: signal.Signals) -> None:
        """Sends the signal, and waits for the end."""
        self.process.send_signal(number)
        self.process.wait()

    def kill(self) -> None:
        """Ends it with SIGKILL, without any clean-up."""
        self.end(signal.SIGKILL)

    def stop(self) -> None:
        """Asks a running program to shut down; kills it if it takes too long."""
        if not self.is_running:
            return
        self.process.send_signal(self.command.stop_signal)
        try:
            self.process.wait(self.command.stop_within)
        except subprocess.TimeoutExpired:
            self.kill()
