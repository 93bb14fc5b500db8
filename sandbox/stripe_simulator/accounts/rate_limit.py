"""How many requests an account takes in any second, in all and of each operation.

Source: https://docs.stripe.com/rate-limits
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from sandbox.stripe_simulator.errors import RateLimitError

_WINDOW_S: Final = 1.0


class _Window:
    """The requests of the last second."""

    def __init__(self, most: float | None) -> None:
        self._most = most
        self._taken: deque[float] = deque()

    def is_full(self, now: float) -> bool:
        """Whether it takes no more requests now."""
        while self._taken and self._taken[0] <= now - _WINDOW_S:
            self._taken.popleft()
        return self._most is not None and len(self._taken) + 1 > self._most

    def add(self, now: float) -> int:
        """Counts a request; returns how many there are in the second that ends with it."""
        self._taken.append(now)
        return len(self._taken)

    def forget(self) -> None:
        """Forgets every request."""
        self._taken.clear()


class RateLimit:
    """The limits of one account. Requests that it refuses do not count.

    Args:
        per_s: requests in a second; None: any number.
        endpoint_per_s: requests of one operation in a second; None: any number.
        now: a clock in seconds, which only goes forward.
    """

    def __init__(
        self,
        per_s: float | None,
        endpoint_per_s: float | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._all = _Window(per_s)
        self._by_operation = defaultdict[str, _Window](lambda: _Window(endpoint_per_s))
        self._now = now
        #: The most requests that were taken in one second.
        self.most_in_a_second = 0

    def take(self, operation: str) -> None:
        """Count a request. Raises RateLimitError if there are too many."""
        now, of_operation = self._now(), self._by_operation[operation]
        if self._all.is_full(now):
            raise RateLimitError("global-rate")
        if of_operation.is_full(now):
            raise RateLimitError("endpoint-rate")
        of_operation.add(now)
        self.most_in_a_second = max(self.most_in_a_second, self._all.add(now))

    def forget(self) -> None:
        """Forget every request."""
        self._all.forget()
        self._by_operation.clear()
        self.most_in_a_second = 0
