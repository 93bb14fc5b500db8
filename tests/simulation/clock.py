"""Clocks: each process has its own, which may be wrong by some seconds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

#: Virtual time 0 is this moment.
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH_S: Final = EPOCH.timestamp()


class SkewedClock:
    """Virtual time, and how far this clock is ahead of it in seconds (behind when negative)."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._time = asyncio.get_running_loop().time

    def __call__(self) -> datetime:
        """What this clock shows."""
        return EPOCH + timedelta(seconds=self._time() + self.ahead_s)

    def seconds(self) -> float:
        """The same in seconds since the Unix epoch."""
        return EPOCH_S + self._time() + self.ahead_s
