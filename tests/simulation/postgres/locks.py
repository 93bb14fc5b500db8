"""Row locks and unique keys of open transactions: a second one waits until the first ends."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Final

from ports.errors import StoreUnavailableError


class Session:
    """An open transaction that others may wait for."""

    def __init__(self) -> None:
        self.held: Final[list[Hashable]] = []
        self.waits_for: Session | None = None


class Locks:
    """The locks, their holders and the waiters."""

    def __init__(self) -> None:
        self._holders: dict[Hashable, Session] = {}
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def acquire(self, session: Session, key: Hashable) -> None:
        """Acquires a lock until ``release``; waits for its holder.

        Raises StoreUnavailableError on a deadlock.
        """
        while (holder := self._holders.get(key)) is not None:
            if holder is session:
                return
            _refuse_deadlock(session, holder)
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queues.setdefault(key, deque()).append(future)
            session.waits_for = holder
            try:
                await future
            finally:
                session.waits_for = None
        self._holders[key] = session
        session.held.append(key)

    def release(self, session: Session) -> None:
        """Releases all locks of a finished transaction."""
        for key in session.held:
            del self._holders[key]
            for future in self._queues.pop(key, ()):
                if not future.done():
                    future.set_result(None)
        session.held.clear()


def _refuse_deadlock(session: Session, holder: Session) -> None:
    other: Session | None = holder
    while other is not None:
        if other is session:
            raise StoreUnavailableError("deadlock detected")
        other = other.waits_for
