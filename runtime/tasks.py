"""Guards around a piece of work: its deadline, its cancellation, and errors nothing depends on."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from runtime.logs import get_logger

log = get_logger(__name__)
T = TypeVar("T")

#: What an adapter may raise. A CancelledError can be its own; see ``is_cancelled``.
ANY_ERROR: Final = (Exception, asyncio.CancelledError)


def is_cancelled() -> bool:
    """Whether somebody cancelled the running task: then a CancelledError has to be passed on."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # no loop, so no task that could be cancelled
    return task is not None and task.cancelling() > 0


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """For what nothing depends on, such as counting; nothing in the block may be awaited."""
    try:
        yield
    except ANY_ERROR:
        log.exception("unforeseen", what=what, note="it is left out")


async def with_timeout(seconds: float, what: Awaitable[T]) -> T:
    """What an adapter answers. Raises TimeoutError where it does not in time.

    A CancelledError of its own becomes a RuntimeError: nobody cancelled us.
    """
    try:
        async with asyncio.timeout(seconds):
            return await what
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError(
            "an adapter raised CancelledError, though nobody cancelled it"
        ) from error
