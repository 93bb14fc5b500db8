"""The process supervisor: restarts programs whenever they end, and records starts and exits."""

import asyncio
import random
import signal
from pathlib import Path
from typing import Final, Self

import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.supervision.processes import Child, Command, spawn, stop
from sandbox.supervision.readiness import Condition
from sandbox.supervision.reaper import Reaper
from tests.chaos.errors import ChaosError
from tests.chaos.history import Exited, History, Started

READY_WITHIN_S: Final = 90.0
POLL_S: Final = 0.05
#: The longest delay before a restart, with jitter; a killed program restarts at once.
WAIT_S: Final = 0.5


class ProcessSupervisor:
    """Owns the processes of a run. Enter it on the main thread; it ends them all on exit."""

    def __init__(self, logs: Path, history: History) -> None:
        self._logs = logs
        self._history = history
        self._reaper = Reaper()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._reaper.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reaper.stop()

    def supervise(self, command: Command, ready: Condition) -> "SupervisedProcess":
        """Starts a program, and restarts it until the end."""
        process = SupervisedProcess(command, ready, self._logs, self._history, self._reaper)
        self._tasks.append(asyncio.create_task(process.run(), name=f"supervise {command.name}"))
        return process


class SupervisedProcess:
    """One program under supervision."""

    def __init__(
        self, command: Command, ready: Condition, logs: Path, history: History, reaper: Reaper
    ) -> None:
        self.name = command.name
        self._command = command
        self._ready = ready
        self._logs = logs
        self._history = history
        self._reaper = reaper
        self._child: Child | None = None
        self._killed = False

    async def run(self) -> None:
        """Runs the program until cancelled, then kills it."""
        try:
            while True:
                child = await spawn(self._command, self._logs)
                self._killed = False
                self._reaper.add(child.group)
                self._history.record(Started(name=self.name, pid=child.process.pid))
                self._child = child
                code = await child.process.wait()
                self._history.record(Exited(name=self.name, pid=child.process.pid, code=code))
                self._child = None
                await stop(child)  # the rest of its process group
                self._reaper.remove(child.group)
                if not self._killed:
                    await asyncio.sleep(random.uniform(0, WAIT_S))  # noqa: S311  # jitter
        finally:
            if self._child is not None:
                self._child.process.kill()
                await stop(self._child)

    async def until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Waits until it is ready. Raises ChaosError after ``within_s`` seconds."""
        try:
            async with asyncio.timeout(within_s):
                while not (self._child is not None and await self._ready()):  # noqa: ASYNC110  # it is in another process
                    await asyncio.sleep(POLL_S)  # polling interval
        except TimeoutError:
            log = self._logs / f"{self.name}.log"
            raise ChaosError(f"{self.name} is not ready within {within_s} s: see {log}") from None

    @property
    def pid(self) -> int | None:
        """The running process's ID, or None."""
        return None if self._child is None else self._child.process.pid

    async def end(self, number: signal.Signals) -> str:
        """Ends the process with a signal; returns how it ended, '' if none was running.

        The supervisor restarts it at once.
        """
        child = self._child
        if child is None:
            return ""
        self._killed = True
        child.process.send_signal(number)
        code = await child.process.wait()
        return f"pid {child.process.pid}, exit code {code}"

    def resume(self) -> int | None:
        """Continues a process that stopped itself, and returns its ID."""
        if self._child is None:
            return None
        self._child.process.send_signal(signal.SIGCONT)
        return self._child.process.pid

    async def pause(self, seconds: float) -> str:
        """Pauses the process for ``seconds``. Returns '' if it was not paused all that time."""
        child = self._child
        if child is None:
            return ""
        process = psutil.Process(child.process.pid)
        child.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
            was_paused = child is self._child and process.status() == psutil.STATUS_STOPPED
        finally:
            if child.process.returncode is None:
                child.process.send_signal(signal.SIGCONT)
        return f"pid {child.process.pid} was paused for {seconds:.1f} s" if was_paused else ""
