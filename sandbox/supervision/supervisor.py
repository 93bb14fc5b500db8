"""Starts programs in the order of their dependencies, watches them and stops them all."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from graphlib import TopologicalSorter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sandbox.errors import ProgramError
from sandbox.supervision.processes import Child, Command, run, spawn, stop
from sandbox.supervision.readiness import Condition
from sandbox.supervision.reaper import Reaper

POLL_SECONDS: Final = 0.05
RESTARTS_MAX: Final = 5
"""A program that requests more restarts than this within a minute has failed."""
RESTART_WINDOW_SECONDS: Final = 60.0
RESTART_WAIT_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Program:
    """A long-running command.

    Args:
        command: what to run.
        ready: its readiness condition.
        ready_within: seconds until it must be ready.
        needs: names of the steps that must be ready or done before.
        restart_code: the exit code by which it requests a restart; None: it never does.
    """

    command: Command
    ready: Condition
    ready_within: float = 30.0
    needs: tuple[str, ...] = ()
    restart_code: int | None = None

    @property
    def name(self) -> str:
        """The step's name."""
        return self.command.name


@dataclass(frozen=True)
class Job:
    """A function that runs once, in this process, as a step between programs."""

    name: str
    action: Callable[[], Awaitable[None]]
    needs: tuple[str, ...] = ()


Step = Program | Job


class State(Enum):
    """A step's progress."""

    STARTED = "started"
    READY = "ready"
    FAILED = "failed"
    RESTARTED = "restarted"
    STOPPING = "stopping"
    STOPPED = "stopped"


Observer = Callable[[str, State, float], None]
"""Called with a step's name, its new state and how long the previous state took, in seconds."""


def ignore(_name: str, _state: State, _seconds: float) -> None:
    """An observer that does nothing."""


def command_job(
    command: Command, logs: Path, *, within: float = 60.0, needs: tuple[str, ...] = ()
) -> Job:
    """A job that runs ``command`` to its end; see ``processes.run``."""
    return Job(command.name, lambda: run(command, logs, within=within), needs)


class Supervisor:
    """An async context manager that owns child processes; leaving it ends them all.

    Args:
        logs: the folder of the programs' logs.
        observer: called with every step's progress.
    """

    def __init__(self, logs: Path, observer: Observer = ignore) -> None:
        self._logs = logs
        self._observer = observer
        self._running: dict[str, tuple[Program, Child]] = {}
        self._needs: dict[str, set[str]] = {}
        self._reaper = Reaper()
        self._death: asyncio.Future[ProgramError]
        self._watches: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._death = asyncio.get_running_loop().create_future()
        self._reaper.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self, steps: Iterable[Step]) -> None:
        """Run the steps in the order of their needs, concurrently where possible.

        A need that is not among ``steps`` counts as met. When a step fails, the others are
        cancelled; programs that are running go on until ``stop``.

        Raises:
            ProgramError: a program failed.
            SandboxError: a job failed.
        """
        table = {step.name: step for step in steps}
        self._needs.update((name, set(step.needs)) for name, step in table.items())
        order = TopologicalSorter({name: self._needs[name] & table.keys() for name in table})
        order.prepare()
        tasks: dict[asyncio.Future[None], str] = {}
        try:
            while order.is_active():
                for name in order.get_ready():
                    tasks[asyncio.ensure_future(self._run_step(table[name]))] = name
                waits: list[asyncio.Future[Any]] = [*tasks, self._death]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if self._death.done():
                    raise self._death.result()
                for task in [task for task in tasks if task.done()]:
                    task.result()
                    order.done(tasks.pop(task))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def watch(self) -> None:
        """Wait until a program ends unexpectedly, which is always a failure.

        Raises:
            ProgramError: with the program's name and the end of its log.
        """
        raise await asyncio.shield(self._death)

    async def stop(self) -> None:
        """End every program, each after all that need it; no process is left."""
        for watch in tuple(self._watches):
            watch.cancel()
        try:
            while self._running:
                needed = {need for name in self._running for need in self._all_needs(name)}
                leaves = [name for name in self._running if name not in needed]
                await asyncio.gather(*(self._end(name) for name in leaves or [*self._running]))
        finally:
            self._reaper.stop()  # kills what an interrupted shutdown has left

    @property
    def running(self) -> Sequence[str]:
        """The names of the programs that are running."""
        return tuple(self._running)

    def _all_needs(self, name: str) -> set[str]:
        """A step's needs, including indirect ones."""
        direct = self._needs.get(name, set())
        return direct.union(*(self._all_needs(need) for need in direct))

    async def _run_step(self, step: Step) -> None:
        started = time.monotonic()
        self._observer(step.name, State.STARTED, 0.0)
        try:
            await (step.action() if isinstance(step, Job) else self._launch(step))
        except BaseException:
            self._observer(step.name, State.FAILED, time.monotonic() - started)
            raise
        self._observer(step.name, State.READY, time.monotonic() - started)

    async def _launch(self, program: Program) -> None:
        child = await self._spawn(program)
        watch = asyncio.ensure_future(self._watch(program, child))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        try:
            async with asyncio.timeout(program.ready_within):
                while not await program.ready():  # noqa: ASYNC110 -- only it knows when
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise child.failure(f"was not ready within {program.ready_within:g} s") from error

    async def _spawn(self, program: Program) -> Child:
        child = await spawn(program.command, self._logs)
        self._reaper.add(child.group)
        self._running[program.name] = (program, child)
        return child

    async def _watch(self, program: Program, child: Child) -> None:
        """Restart the program as often as it may request it; any other end is a failure."""
        restarts: list[float] = []
        while True:
            code = await child.process.wait()
            now = time.monotonic()
            restarts = [at for at in restarts if now - at < RESTART_WINDOW_SECONDS]
            if code != program.restart_code or len(restarts) == RESTARTS_MAX:
                break
            restarts.append(now)
            self._observer(program.name, State.RESTARTED, 0.0)
            await stop(child)  # kills the rest of its group
            self._reaper.remove(child.group)
            await asyncio.sleep(random.uniform(0, RESTART_WAIT_SECONDS))  # noqa: S311 -- jitter
            child = await self._spawn(program)
        if not self._death.done():
            self._death.set_result(child.failure(child.exit_reason()))

    async def _end(self, name: str) -> None:
        program, child = self._running[name]
        started = time.monotonic()
        self._observer(name, State.STOPPING, 0.0)
        await stop(child)
        self._reaper.remove(child.group)
        del self._running[program.name]
        self._observer(name, State.STOPPED, time.monotonic() - started)
