"""The places of calls in flight: at most half of them are for look-ups."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from processor.worker.calls.slots import Slots

pytestmark = pytest.mark.anyio


class Places:
    """Places, and the calls in them, none of which ends before the test."""

    def __init__(self, size: int) -> None:
        self.slots = Slots(size)
        #: The last task of each.
        self.tasks: dict[str, asyncio.Task[Any]] = {}

    def begin(self, key: str, *, looked_up: bool = False) -> bool:
        """Begins a call. Returns whether there was room to look it up."""
        self.take(key)
        return self.slots.look_up(key) if looked_up else True

    def take(self, key: str) -> asyncio.Task[Any]:
        """Begins one more task of a call."""
        task = asyncio.create_task(asyncio.Event().wait())
        self.slots.take(task, key)
        self.tasks[key] = task
        return task

    @property
    def free(self) -> tuple[int, int]:
        """The free places, and how many of them are for look-ups."""
        return self.slots.free, self.slots.free_for_look_ups


@asynccontextmanager
async def places_of(size: int) -> AsyncIterator[Places]:
    """So many places; what is in them ends with the block."""
    places = Places(size)
    yield places
    for task in places.slots.tasks:
        await ended(task)


async def ended(task: asyncio.Task[Any]) -> None:
    """Ends a task, and what it takes."""
    task.cancel()
    await asyncio.wait({task})
    await asyncio.sleep(0)


async def test_look_ups_take_at_most_half_of_the_places() -> None:
    """A call takes any place, and may only be looked up while there is room for it."""
    async with places_of(4) as places:
        assert places.free == (4, 2)
        assert places.begin("one", looked_up=True)
        assert places.begin("two", looked_up=True)
        assert places.free == (2, 0)
        assert not places.begin("three", looked_up=True)
        assert places.begin("four")
        assert places.free == (0, 0)
        await ended(places.tasks["one"])
        assert places.free == (1, 1)
        assert places.slots.look_up("three")
        assert places.free == (1, 0)


async def test_a_call_that_is_looked_up_already_has_its_room() -> None:
    """It is claimed as one to look up, and then it is looked up."""
    async with places_of(2) as places:
        assert places.begin("one", looked_up=True)
        assert places.slots.look_up("one")
        assert places.free == (1, 0)


async def test_a_look_up_that_does_not_end_keeps_its_room() -> None:
    """Its call was given up, and its task goes on."""
    async with places_of(2) as places:
        places.begin("one", looked_up=True)
        given_up, stuck = places.tasks["one"], places.take("one")
        assert places.free == (0, 0)
        await ended(given_up)
        assert places.free == (1, 0)
        await ended(stuck)
        assert places.free == (2, 1)


async def test_of_one_place_a_look_up_may_take_it() -> None:
    """Otherwise it would never be made."""
    assert Places(1).free == (1, 1)
