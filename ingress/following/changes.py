"""Follows what the stream publishes, while requests wait for it.

Every process gets every record, so it fetches none while nobody waits.
"""

import asyncio
from time import monotonic
from typing import Final, Protocol, Self

from ingress.following.waiters import Waiter, Waiters
from messaging.log_follower import LogFollower, Positions
from messaging.log_reader import Extent
from ports.failures import RETRYABLE_ON_CONNECT
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE

#: How long a request waits for this process to follow before it does without.
READY_WITHIN_S: Final = 0.2
#: How often it is checked that the process keeps up, and how far it may be behind.
CHECK_EVERY_S: Final = 1.0
BEHIND_MAX_S: Final = 2.0
#: After this time without a waiting request nothing is fetched any more.
IDLE_S: Final = 60.0


class Waits(Protocol):
    """Lets requests wait for a decision."""

    async def begin(
        self, payment_id: str, operation_id: str | None, *, for_payment: bool
    ) -> Waiter | None:
        """Returns a waiter that what is published from now on wakes; ``end`` must free it.

        None: there is no free one, or this process does not follow the stream closely enough.
        """
        ...

    def end(self, waiter: Waiter) -> None:
        """Frees a waiter."""
        ...


class FollowedChanges:
    """``Waits`` that the log wakes; an async context manager that does not wait for a broker."""

    def __init__(self, bootstrap: str, partitions: int, waiters: Waiters) -> None:
        self._waiters = waiters
        self._follower = LogFollower(
            bootstrap,
            [PAYMENT_OPERATIONS, PAYMENT_STATE],
            partitions,
            begin=_at_the_ends,
            take=waiters.take,
            lost=self._on_lost,
            paused=True,
        )
        self._is_current = asyncio.Event()
        self._used_at = 0.0
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._follower.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._waiters.close()
        if (following := self._following) is not None:
            following.cancel()
            await asyncio.wait({following})
        await self._follower.__aexit__(*exception)

    async def begin(
        self, payment_id: str, operation_id: str | None, *, for_payment: bool
    ) -> Waiter | None:
        """See ``Waits.begin``."""
        if not (self._waiters.has_room and await self._is_ready()):
            return None
        return self._waiters.add(payment_id, operation_id, for_payment=for_payment)

    def end(self, waiter: Waiter) -> None:
        """See ``Waits.end``."""
        self._waiters.remove(waiter)

    async def _is_ready(self) -> bool:
        """Returns whether all that is published from now on is taken soon."""
        if not self._follower.is_connected:
            return False
        self._used_at = monotonic()
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="changes-following")
        if not self._is_current.is_set():
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    await self._is_current.wait()
            except TimeoutError:
                return False
        return True

    async def _follow(self) -> None:
        """Fetches until nobody has waited for a while, or the connection is lost."""
        try:
            async with asyncio.timeout(BEHIND_MAX_S):
                await self._follower.go_on()
            self._is_current.set()
            while self._waiters or monotonic() - self._used_at < IDLE_S:
                await asyncio.sleep(CHECK_EVERY_S)
                await self._check()
        except RETRYABLE_ON_CONNECT:
            pass  # the next request that wants to wait tries again
        finally:
            self._following = None
            self._is_current.clear()
            self._follower.pause()
            self._waiters.end_all()

    async def _check(self) -> None:
        """Notes whether this process keeps up. Raises KafkaError."""
        try:
            async with asyncio.timeout(BEHIND_MAX_S):
                await self._follower.catch_up()
        except TimeoutError:
            self._is_current.clear()
        else:
            self._is_current.set()

    def _on_lost(self) -> None:
        if self._following is not None:
            self._following.cancel()


async def _at_the_ends(extent: Extent, _known: Positions) -> Positions:
    return {each: end for each, (_, end) in extent.items()}
