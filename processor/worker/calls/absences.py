"""When it is proved that a call never happened: not before the provider's lists are complete."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

#: So many keys are remembered. A key that is forgotten is waited for once more.
REMEMBERED_MAX: Final = 10_000


class Absences:
    """From when on a look-up that finds nothing proves something.

    A provider's event list is late. What it does not list yet may have happened all the same, and
    to try it under another key would do it twice.

    Args:
        settles_s: how late a list may be, in seconds.
        clock: the current time in UTC.
    """

    def __init__(self, settles_s: float, clock: Callable[[], datetime]) -> None:
        self._settles = timedelta(seconds=settles_s)
        self._clock = clock
        self._replayed_at: dict[str, datetime] = {}

    def replayed(self, key: str) -> datetime:
        """Notes that the provider repeats its response to this key, so it does nothing more.

        Returns when this was noted first.
        """
        first = self._replayed_at.setdefault(key, self._clock())
        if len(self._replayed_at) > REMEMBERED_MAX:
            del self._replayed_at[next(iter(self._replayed_at))]
        return first

    def complete_at(self, tried_until: datetime) -> datetime:
        """Returns when the lists have all that came of tries until then.

        A look-up that begins then, or later, and finds nothing proves that nothing happened.
        """
        return tried_until + self._settles

    def forget(self, key: str) -> None:
        """Forgets a key under which nothing is tried any more."""
        self._replayed_at.pop(key, None)
