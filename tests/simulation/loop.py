"""An asyncio loop with virtual time, which advances only when no task can run.

During a run, libraries that read the clock get virtual time, and those that use randomness are
seeded.
"""

import asyncio
import logging
import random
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from unittest.mock import patch

import stripe._webhook
import tenacity

from processor.worker import loops
from tests.simulation.clock import EPOCH_S

T = TypeVar("T")
#: Modules that read the clock: for time-outs, signatures, and waits between restarts.
_READING_THE_CLOCK: Final = (tenacity, stripe._webhook, loops)


class StalledError(Exception):
    """A deadlock: every task waits for another, and no timer is set."""


class _VirtualSelector(selectors.SelectSelector):
    """A selector without sockets: a wait returns at once and advances virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StalledError("every task waits, and no timer is set")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs one simulation. ``time()`` begins at 0."""

    def __init__(self) -> None:
        self._selector_clock = _VirtualSelector()
        super().__init__(self._selector_clock)
        self.set_exception_handler(self._note_failure)
        #: Errors in callbacks, which are errors of the simulation itself.
        self.failures: Final[list[BaseException]] = []

    def _note_failure(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Collects errors, except those of a dead process's abandoned tasks."""
        error = context.get("exception")
        if "handle" in context and isinstance(error, BaseException):
            self.failures.append(error)

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._selector_clock.now


@contextmanager
def _deterministic(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Gives libraries virtual time and seeded randomness; disables logging, which is slow."""
    clock = SimpleNamespace(time=lambda: EPOCH_S + loop.time(), monotonic=loop.time)
    before = random.getstate()
    random.seed(seed)  # tenacity's jitter
    logging.disable(logging.CRITICAL)
    try:
        with ExitStack() as patches:
            for module in _READING_THE_CLOCK:
                patches.enter_context(patch.object(module, "time", clock))
            yield
    finally:
        logging.disable(logging.NOTSET)
        random.setstate(before)


def run(main: Coroutine[Any, Any, T], seed: int) -> T:
    """Runs ``main`` on its own loop, then cancels the remaining tasks.

    Raises the simulation's own errors.
    """
    loop = VirtualLoop()
    with _deterministic(loop, seed):
        try:
            result = loop.run_until_complete(main)
            for failure in loop.failures:
                raise failure
            return result
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=3600))
            loop.close()
