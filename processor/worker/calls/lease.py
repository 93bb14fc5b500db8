"""Keeps the claim on a call while the call is in flight, by renewing its lease.

A claim is identified by the row's number of attempts. A worker that lost its lease finds another
number in the row and can no longer change it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from ports.errors import LeaseLostError, StoreUnavailableError

#: Renewals per lease, so that one of them may fail.
RENEWALS: Final = 3
#: Seconds that the work may take to end after it was cancelled.
CANCEL_TIMEOUT_S: Final = 5.0
T = TypeVar("T")


class Lease:
    """The lease of one claim.

    Args:
        renew: renews the lease; returns whether the claim is still ours.
        lease_s: the length of the lease, in seconds.
        since: the event loop's time at which the lease began, in seconds.
    """

    def __init__(self, renew: Callable[[], Awaitable[bool]], lease_s: float, since: float) -> None:
        self._renew = renew
        self._lease_s = lease_s
        self._until = since + lease_s

    async def renew_during(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of the work, and renews the lease until it is done.

        Raises:
            LeaseLostError: another worker may have claimed the call. The work was cancelled.
            Exception: whatever the work raises.
        """
        task = asyncio.create_task(work)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=self._lease_s / RENEWALS)
                if done:
                    return task.result()
                await self._renew_once()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_TIMEOUT_S)
            if task.done() and not task.cancelled():
                task.exception()  # already raised, or superseded by a lost lease

    async def _renew_once(self) -> None:
        """Tries to renew. Postgres may be unavailable for as long as the lease lasts."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        # never cancelled: a pool loses the connection of a task that is cancelled at a bad moment
        renewing = asyncio.ensure_future(self._renew())
        renewing.add_done_callback(_retrieve_exception)
        done, _ = await asyncio.wait({renewing}, timeout=max(0.0, self._until - began))
        try:
            is_ours = renewing.result() if done else None
        except StoreUnavailableError:
            is_ours = None
        if is_ours:
            self._until = began + self._lease_s
        elif is_ours is False or loop.time() >= self._until:
            raise LeaseLostError("another worker may have the call by now")


def _retrieve_exception(renewing: asyncio.Future[bool]) -> None:
    """Prevents asyncio's warning about an exception that nobody retrieved."""
    if not renewing.cancelled():
        renewing.exception()
