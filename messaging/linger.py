"""How long a record waits for others to share its batch, from how many come.

Records in one batch are compressed together: alone, a webhook takes three times the bytes of one
among ten. Where few come, nobody waits for that. Where many do, a batch waits until some have come
for each partition, but not for long.
"""

from dataclasses import dataclass
from typing import Final

#: Records that a batch waits for, on average.
WANTED: Final = 10
#: Below this rate the bytes matter less than the wait.
MANY_PER_S: Final = 1_000.0
#: Seconds over which a rate is measured.
MEASURED_OVER_S: Final = 0.25


@dataclass(slots=True)
class Linger:
    """Measures the rate, and returns the wait that follows from it.

    Args:
        least_ms: the wait where few records come.
        most_ms: the longest wait.
        partitions: over which the records are spread.
    """

    least_ms: float
    most_ms: float
    partitions: int
    _count: int = 0
    _since: float = 0.0

    def note(self, now: float) -> float | None:
        """Counts a record. Returns the new wait in seconds; None while it stays as it is.

        ``now`` is in seconds, of a clock that never goes back.
        """
        self._count += 1
        passed = now - self._since
        if passed < MEASURED_OVER_S:
            return None
        rate = self._count / passed
        self._count, self._since = 0, now
        wanted_ms = WANTED * self.partitions / rate * 1000 if rate >= MANY_PER_S else 0.0
        return min(max(wanted_ms, self.least_ms), self.most_ms) / 1000
