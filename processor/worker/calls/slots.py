"""The places of the calls in flight at one provider, of which look-ups take a share."""

import asyncio
from typing import Any


class Slots:
    """At most so many calls are in flight, and at most half of them are looked up.

    A look-up reads lists, so it may take a hundred times as long as a call. Without a share, a few
    slow ones would hold up every call.

    Args:
        size: how many calls may be in flight. One of them may be looked up, even of one.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._look_ups_max = max(1, size // 2)
        self._keys: dict[asyncio.Task[Any], str] = {}
        self._looked_up: set[str] = set()

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks in flight."""
        return list(self._keys)

    @property
    def free(self) -> int:
        """How many more calls may be in flight. Negative: tasks that were given up go on."""
        return self._size - len(self._keys)

    @property
    def free_for_look_ups(self) -> int:
        """How many more calls may be looked up, as far as there are slots for them."""
        taken = sum(key in self._looked_up for key in self._keys.values())
        return max(0, self._look_ups_max - taken)

    def take(self, task: asyncio.Task[Any], call_key: str) -> None:
        """Notes a task of a call as in flight until it ends."""
        self._keys[task] = call_key
        task.add_done_callback(self._release)

    def look_up(self, call_key: str) -> bool:
        """Notes that a call in flight is looked up. Returns False if there is no room for it."""
        if call_key not in self._looked_up and not self.free_for_look_ups:
            return False
        self._looked_up.add(call_key)
        return True

    def _release(self, task: asyncio.Task[Any]) -> None:
        call_key = self._keys.pop(task)
        if call_key not in self._keys.values():
            self._looked_up.discard(call_key)
