"""A claimed call stays ours for as long as it is under way: its lease is renewed.

A claim is known by its number of attempts. A worker that lost its lease finds another number in
the row and changes nothing there any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from ports.errors import LeaseLostError, StoreUnavailableError

#: A lease is renewed this often in its length, so that one renewal may fail.
RENEWALS: Final = 3
#: What is under way is given this long to end once its lease is lost.
END_WITHIN_S: Final = 5.0
T = TypeVar("T")


class Lease:
    """The lease of one claim. ``renew`` answers whether the claim is ours still.

    ``since`` is the loop's time at which the lease began, ``lease_s`` its length in seconds.
    """

    def __init__(self, renew: Callable[[], Awaitable[bool]], lease_s: float, since: float) -> None:
        self._renew = renew
        self._lease_s = lease_s
        self._until = since + lease_s

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work comes to; the lease is renewed meanwhile.

        Raises LeaseLostError once another worker may have the call, and what the work raises.
        """
        task = asyncio.create_task(work)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=self._lease_s / RENEWALS)
                if done:
                    return task.result()
                await self._renewed()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=END_WITHIN_S)
            if task.done() and not task.cancelled():
                task.exception()  # raised above, or of no interest any more

    async def _renewed(self) -> None:
        """Tries once. Postgres may be away for as long as the lease goes on."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        # not cancelled: a pool loses the connection of a task that is cancelled at a bad moment
        renewing = asyncio.ensure_future(self._renew())
        renewing.add_done_callback(_noticed)
        done, _ = await asyncio.wait({renewing}, timeout=max(0.0, self._until - began))
        try:
            is_ours = renewing.result() if done else None
        except StoreUnavailableError:
            is_ours = None
        if is_ours:
            self._until = began + self._lease_s
        elif is_ours is False or loop.time() >= self._until:
            raise LeaseLostError("another worker may have the call by now")


def _noticed(renewing: asyncio.Future[bool]) -> None:
    if not renewing.cancelled():
        renewing.exception()
