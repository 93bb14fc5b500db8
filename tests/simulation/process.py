"""A process of ours: it may die, stand still or be slow at every step of its I/O."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Final, NoReturn

from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.trace import Trace

#: The process whose program a task runs, and every task that such a task begins.
_RUNNING: Final[ContextVar["Process | None"]] = ContextVar("running", default=None)


class ProcessDiedError(asyncio.CancelledError):
    """The process is gone; nothing of it runs any more.

    A cancellation, so that no ``except Exception`` of the program under test lives on.
    """


def surface(task: asyncio.Task[Any]) -> None:
    """A task's callback: what went wrong in it ends the simulation, instead of being forgotten."""
    if not task.cancelled():
        task.result()


class Process:
    """One life of a program. After it died, none of its steps has an effect any more.

    Args:
        name: unique, for the trace.
        chance: decides what it meets.
        trace: what happened.
        clock: its machine's clock.
        on_death: called once when it died.
        on_pause: called when it begins to stand still.
        trouble: how many times more readily than others it stands still.
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
    def stands_still(self) -> bool:
        """Whether it was stopped, and not yet woken."""
        return self._still_until > self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a coroutine as long as the process lives."""
        self._tasks = [task for task in self._tasks if not task.done()]
        here = copy_context()
        here.run(_RUNNING.set, self)
        task = asyncio.create_task(work, context=here)
        task.add_done_callback(surface)
        self._tasks.append(task)
        return task

    async def step(self, point: str) -> None:
        """A step of I/O. Raises ProcessDiedError when the process died here or before."""
        if self.dead:
            self._die()
        met = self.chance.at(point, self._trouble)
        if met is not None:
            await self._meet(met, point)
        while self.stands_still:  # noqa: ASYNC110  # how long it does may change meanwhile
            await asyncio.sleep(min(1.0, self._still_until - self._loop.time()))
        if self.dead:
            self._die()

    def step_at_once(self, point: str) -> None:
        """A step between two statements of the program, where nothing can be awaited."""
        if self.dead:
            self._die()
        if self.chance.at(point) == "crash":
            self.kill(point)
            self._die()

    def _die(self) -> NoReturn:
        """Ends the running task: the program under test must take it for its own cancellation.

        Others, such as whoever delivers a webhook to the program, only see that it has gone.
        """
        task = asyncio.current_task()
        if task is not None and _RUNNING.get() is self:
            task.cancel()
        raise ProcessDiedError

    async def _meet(self, met: str, point: str) -> None:
        if met == "crash":
            self.kill(point)
            self._die()
        if met == "delay":
            await asyncio.sleep(self.chance.between(0.0, self.chance.longest_delay_s))
        elif met == "pause":
            self.pause(self.chance.between(0.5, 5.0))
        else:
            self.pause(self.chance.between(8.0, 25.0))

    def pause(self, seconds: float) -> None:
        """Stands still, as after SIGSTOP."""
        self._trace.note("paused", self.name, f"{seconds:.1f} s")
        self._still_until = self._loop.time() + seconds
        self._on_pause()

    def wake(self) -> None:
        """Goes on."""
        self._still_until = 0.0

    def kill(self, where: str) -> None:
        """Ends the process, as kill -9 does."""
        if self.dead:
            return
        self.dead = True
        self._trace.note("died", self.name, where)
        here = asyncio.current_task()
        for task in self._tasks:
            if task is not here:
                task.cancel()
        self._on_death()
