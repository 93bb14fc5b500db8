"""Guards around a piece of work: its timeout, its cancellation, and errors that may be ignored."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from runtime.logs import get_logger

log = get_logger(__name__)
T = TypeVar("T")

#: Everything that an adapter may raise. A library may raise a CancelledError although nobody
#: cancelled the task; ``is_cancelled`` distinguishes the two.
ANY_ERROR: Final = (Exception, asyncio.CancelledError)


def is_cancelled() -> bool:
    """Whether the running task was cancelled; if so, a CancelledError must propagate."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # there is no running loop, so no task either
    return task is not None and task.cancelling() > 0


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """Logs an error and continues. For work that nothing depends on, such as counting.

    The block must not await anything.
    """
    try:
        yield
    except ANY_ERROR:
        log.exception("best_effort.failed", what=what)


async def with_timeout(timeout_s: float, awaitable: Awaitable[T]) -> T:
    """Returns what an adapter returns.

    Raises:
        TimeoutError: it took longer than ``timeout_s`` seconds.
        RuntimeError: the adapter raised a CancelledError although nobody cancelled this task.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await awaitable
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError(
            "an adapter raised CancelledError, though nobody cancelled it"
        ) from error
