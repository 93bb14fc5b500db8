"""Reads Stripe's lists for a look-up, a bounded number of pages at a time.

An account has payments of other applications too, so a list can be thousands of pages long. What a
look-up has read is remembered in this process, and its next attempt goes on there: each makes only
so many requests, and all of them together come to the end.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: How the client gets a page: the path and parameters, and the page and when it was answered.
Get = Callable[..., Awaitable[tuple[dict[str, Any], Any]]]
Item = Mapping[str, Any]

PAGE: Final = 100
#: Most requests of one attempt. They take a fraction of the attempt's deadline.
REQUESTS_MAX: Final = 200
#: Look-ups that are remembered; the one that was longest not continued is forgotten first.
REMEMBERED_MAX: Final = 1000


class NotAllReadError(Exception):
    """The attempt has made as many requests as it may, and there is more to read."""


@dataclass(slots=True)
class _List:
    """How far a list is read, and what was wanted of it, newest first."""

    found: list[Item] = field(default_factory=list)
    after: str | None = None
    is_read: bool = False


@dataclass(slots=True)
class Reading:
    """What the attempts of one look-up have read."""

    get: Get
    requests_left: int
    lists: dict[str, _List] = field(default_factory=dict)

    async def page(self, path: str, **params: Any) -> dict[str, Any]:
        """Returns one page. Raises NotAllReadError and ProviderUnavailableError."""
        if self.requests_left <= 0:
            raise NotAllReadError
        self.requests_left -= 1
        page, _ = await self.get(path, limit=PAGE, **params)
        return page

    async def all_of(
        self,
        path: str,
        wanted: Callable[[Item], bool],
        *,
        is_last: Callable[[Item], bool] = lambda _: False,
        **params: Any,
    ) -> list[Item]:
        """Returns the wanted objects of a list, newest first; those behind ``is_last`` may lack.

        Raises NotAllReadError and ProviderUnavailableError. What was read until then stays read.
        """
        known = self.lists.setdefault(repr((path, sorted(params.items()))), _List())
        while not known.is_read and not any(map(is_last, known.found)):
            cursor = {} if known.after is None else {"starting_after": known.after}
            page = await self.page(path, **params, **cursor)
            known.found += filter(wanted, page["data"])
            known.is_read = not page["has_more"]
            if page["data"]:
                known.after = page["data"][-1]["id"]
        return known.found


class Readings:
    """The readings of look-ups that have not come to the end yet."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._known: OrderedDict[tuple[Any, ...], Reading] = OrderedDict()

    def begin(self, key: tuple[Any, ...] | None) -> Reading:
        """Returns what the attempts of a look-up have read, for one more; None: nothing is kept."""
        if key is None:
            return Reading(self._get, REQUESTS_MAX)
        reading = self._known.setdefault(key, Reading(self._get, REQUESTS_MAX))
        reading.requests_left = REQUESTS_MAX
        self._known.move_to_end(key)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return reading

    def end(self, key: tuple[Any, ...] | None) -> None:
        """Forgets a look-up: the next one of this key reads everything again."""
        self._known.pop(key or (), None)
