"""Each process has its own clock, which may be wrong by some seconds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

#: The instant of virtual time 0.
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH_S: Final = EPOCH.timestamp()


class SkewedClock:
    """Virtual time plus ``ahead_s`` seconds, which may be negative."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._time = asyncio.get_running_loop().time

    def __call__(self) -> datetime:
        """This clock's time."""
        return EPOCH + timedelta(seconds=self._time() + self.ahead_s)

    def seconds(self) -> float:
        """This clock's time in seconds since the Unix epoch."""
        return EPOCH_S + self._time() + self.ahead_s
