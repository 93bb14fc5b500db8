"""The trace of a run: printed for a payment, and hashed to check determinism."""

import asyncio
import hashlib
from collections.abc import Iterator

Line = tuple[float, str, str, str]


class Trace:
    """Lines of (seconds, event, subject, detail); a subject is a payment, a process or a call."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self.lines: list[Line] = []

    def note(self, what: str, whom: str, how: str = "") -> None:
        """Adds a line."""
        self.lines.append((self._time(), what, whom, how))

    def digest(self) -> str:
        """A hash of all lines; equal for equal seeds if the run is deterministic."""
        state = hashlib.sha256()
        for line in self.lines:
            state.update(repr(line).encode())
        return state.hexdigest()

    def about(self, payment_id: str) -> Iterator[str]:
        """The lines about a payment, and those about processes in the same period."""
        for at, what, whom, how in self.lines:
            if payment_id in whom or payment_id in how or what in PROCESS_LINES:
                yield f"{at:12.3f}  {what:<12} {whom:<34} {how}".rstrip()


PROCESS_LINES = frozenset({"died", "paused", "rebalanced", "outage", "recovered", "healed"})
