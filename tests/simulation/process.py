"""One of our processes, which may die, pause or be slow at every step of its I/O."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Final, NoReturn

from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.trace import Trace

#: The process of the current task; tasks that it starts inherit it.
_RUNNING: Final[ContextVar["Process | None"]] = ContextVar("running", default=None)


class ProcessDiedError(asyncio.CancelledError):
    """The process has died.

    It is a cancellation, so that no ``except Exception`` of the program under test catches it.
    """


def surface(task: asyncio.Task[Any]) -> None:
    """A task's callback: raises the task's error, which ends the simulation."""
    if not task.cancelled():
        task.result()


class Process:
    """One process of a program. After its death none of its steps has an effect.

    Args:
        name: unique, for the trace.
        chance: draws its faults.
        trace: the run's trace.
        clock: its machine's clock.
        on_death: called once, at its death.
        on_pause: called when it is paused.
        trouble: multiplies the probability of its pauses.
    """

    def __init__(
        self,
        name: str,
        chance: Chance,
        trace: Trace,
        clock: SkewedClock,
        on_death: Callable[[], None] = lambda: None,
        on_pause: Callable[[], None] = lambda: None,
        trouble: float = 1.0,
    ) -> None:
        self.name = name
        self.clock = clock
        self.chance = chance
        self.dead = False
        self._trace = trace
        self._on_death = on_death
        self._on_pause = on_pause
        self._trouble = trouble
        self._loop = asyncio.get_running_loop()
        self._still_until = 0.0
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def is_paused(self) -> bool:
        """Whether it is paused."""
        return self._still_until > self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a coroutine in the process."""
        self._tasks = [task for task in self._tasks if not task.done()]
        here = copy_context()
        here.run(_RUNNING.set, self)
        task = asyncio.create_task(work, context=here)
        task.add_done_callback(surface)
        self._tasks.append(task)
        return task

    async def step(self, point: str) -> None:
        """A step of I/O. Raises ProcessDiedError if the process died here or before."""
        if self.dead:
            self._die()
        fault = self.chance.at(point, self._trouble)
        if fault is not None:
            await self._inject(fault, point)
        while self.is_paused:  # noqa: ASYNC110  # the pause may become longer
            await asyncio.sleep(min(1.0, self._still_until - self._loop.time()))
        if self.dead:
            self._die()

    def step_at_once(self, point: str) -> None:
        """A step in synchronous code, where nothing can be awaited."""
        if self.dead:
            self._die()
        if self.chance.at(point) == "crash":
            self.kill(point)
            self._die()

    def _die(self) -> NoReturn:
        """Ends the running task, which the program under test takes for a cancellation.

        Other parties, such as the sender of a webhook, only see a broken connection.
        """
        task = asyncio.current_task()
        if task is not None and _RUNNING.get() is self:
            task.cancel()
        raise ProcessDiedError

    async def _inject(self, fault: str, point: str) -> None:
        if fault == "crash":
            self.kill(point)
            self._die()
        if fault == "delay":
            await asyncio.sleep(self.chance.between(0.0, self.chance.longest_delay_s))
        elif fault == "pause":
            self.pause(self.chance.between(0.5, 5.0))
        else:
            self.pause(self.chance.between(8.0, 25.0))

    def pause(self, seconds: float) -> None:
        """Pauses the process, like SIGSTOP."""
        self._trace.note("paused", self.name, f"{seconds:.1f} s")
        self._still_until = self._loop.time() + seconds
        self._on_pause()

    def wake(self) -> None:
        """Continues the process, like SIGCONT."""
        self._still_until = 0.0

    def kill(self, where: str) -> None:
        """Kills the process, like kill -9."""
        if self.dead:
            return
        self.dead = True
        self._trace.note("died", self.name, where)
        here = asyncio.current_task()
        for task in self._tasks:
            if task is not here:
                task.cancel()
        self._on_death()
