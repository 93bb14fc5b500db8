"""An asyncio loop in which time is virtual: it stands still while there is work, then jumps.

Whatever else asks for the time or for chance behind our back is given the virtual time, or is
seeded, for as long as ``deterministic`` holds.
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
#: Modules that ask for the time themselves: for time-outs, signatures, and waits between restarts.
_ASK_FOR_TIME: Final = (tenacity, stripe._webhook, loops)


class StalledError(Exception):
    """Nothing is left that could ever happen: every task waits for another."""


class _Jumping(selectors.SelectSelector):
    """Nothing is ever read from a socket, so a wait is over at once and time has passed."""

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
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self.set_exception_handler(self._note_failure)
        #: What went wrong in callbacks: in the simulation itself, whose tasks end in one.
        self.failures: Final[list[BaseException]] = []

    def _note_failure(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tasks that nobody waits for, since their process died, may end as they do."""
        error = context.get("exception")
        if "handle" in context and isinstance(error, BaseException):
            self.failures.append(error)

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._jumping.now


@contextmanager
def _deterministic(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Virtual time and seeded chance for libraries; no log records, whose text costs time."""
    asked = SimpleNamespace(time=lambda: EPOCH_S + loop.time(), monotonic=loop.time)
    before = random.getstate()
    random.seed(seed)  # tenacity's jitter
    logging.disable(logging.CRITICAL)
    try:
        with ExitStack() as patches:
            for module in _ASK_FOR_TIME:
                patches.enter_context(patch.object(module, "time", asked))
            yield
    finally:
        logging.disable(logging.NOTSET)
        random.setstate(before)


def run(main: Coroutine[Any, Any, T], seed: int) -> T:
    """Runs ``main`` to its end on a loop of its own; whatever is left running then is cancelled.

    Raises what went wrong in the simulation itself.
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
