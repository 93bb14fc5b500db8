"""Limits how much is in flight at once, in records and in bytes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """The most records that may be in flight at once, and their size in bytes."""

    records: int = 4096
    bytes: int = 64 * 1024 * 1024


class InFlightLimiter:
    """Counts records in flight. ``changed`` is called with their number after each change."""

    def __init__(self, limits: InFlightLimits, changed: Callable[[int], None]) -> None:
        self._limits = limits
        self._changed = changed
        self._records = 0
        self._bytes = 0
        self._freed = asyncio.Event()

    def try_acquire(self, size: int) -> bool:
        """Reserves capacity for one record of ``size`` bytes, if there is enough.

        A record larger than the whole limit is admitted when nothing else is in flight.
        """
        full = self._records >= self._limits.records or self._bytes + size > self._limits.bytes
        if full and self._records:
            return False
        self._records += 1
        self._bytes += size
        self._changed(self._records)
        return True

    async def acquire(self, size: int) -> None:
        """Waits for capacity and reserves it. The caller sets the timeout."""
        while not self.try_acquire(size):
            self._freed.clear()
            await self._freed.wait()

    def release(self, size: int) -> None:
        """Frees the capacity of a record that is no longer in flight, delivered or not."""
        self._records -= 1
        self._bytes -= size
        self._changed(self._records)
        self._freed.set()
