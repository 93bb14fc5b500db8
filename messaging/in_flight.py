"""How much may be in flight at once, in records and in bytes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """Records in flight at once, and their bytes."""

    records: int = 4096
    bytes: int = 64 * 1024 * 1024


class InFlightLimiter:
    """Counts what is in flight. ``changed`` is given the number of records after each change."""

    def __init__(self, limits: InFlightLimits, changed: Callable[[int], None]) -> None:
        self._limits = limits
        self._changed = changed
        self._records = 0
        self._bytes = 0
        self._freed = asyncio.Event()

    def try_take(self, size: int) -> bool:
        """Takes room for one record of this size, if there is any.

        A record that is larger than all of it is let through alone.
        """
        full = self._records >= self._limits.records or self._bytes + size > self._limits.bytes
        if full and self._records:
            return False
        self._records += 1
        self._bytes += size
        self._changed(self._records)
        return True

    async def take(self, size: int) -> None:
        """Waits until there is room, and takes it. The caller sets the deadline."""
        while not self.try_take(size):
            self._freed.clear()
            await self._freed.wait()

    def give_back(self, size: int) -> None:
        """The record is in flight no longer, whatever became of it."""
        self._records -= 1
        self._bytes -= size
        self._changed(self._records)
        self._freed.set()
