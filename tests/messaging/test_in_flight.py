"""What is in flight is bounded, in records and in bytes; what has landed is not counted."""

import asyncio

import pytest

from messaging.in_flight import InFlightLimiter, InFlightLimits

pytestmark = pytest.mark.anyio


def room(records: int = 10, size: int = 100) -> InFlightLimiter:
    """A room that nobody measures."""
    return InFlightLimiter(InFlightLimits(records, size), lambda _records: None)


def test_bytes_are_given_back() -> None:
    """Any number of records may pass, however many bytes they are in all: two at a time here."""
    small = room()
    for _ in range(50):
        assert [small.try_acquire(40), small.try_acquire(40)] == [True, True]
        small.release(40)
        small.release(40)


def test_either_limit_is_one() -> None:
    """Few large records fill it as many small ones do."""
    assert [room(records=2).try_acquire(1) for _ in range(2)] == [True, True]
    full = room(records=2)
    assert [full.try_acquire(1) for _ in range(3)] == [True, True, False]
    heavy = room(size=100)
    assert [heavy.try_acquire(50), heavy.try_acquire(50), heavy.try_acquire(1)] == [
        True,
        True,
        False,
    ]


def test_what_is_larger_than_all_of_it_goes_alone() -> None:
    """Else it would wait for ever."""
    small = room(size=100)
    assert small.try_acquire(1000)
    assert not small.try_acquire(1)
    small.release(1000)
    assert small.try_acquire(1)
    assert not small.try_acquire(1000)


async def test_who_waits_goes_on_when_there_is_room() -> None:
    """Every one of many that wait, as records land."""
    narrow, passed = room(records=1), list[int]()

    async def take(number: int) -> None:
        await narrow.acquire(1)
        passed.append(number)
        await asyncio.sleep(0)
        narrow.release(1)

    async with asyncio.timeout(5):
        await asyncio.gather(*(take(number) for number in range(20)))
    assert sorted(passed) == list(range(20))


def test_the_number_in_flight_is_measured() -> None:
    """After each change."""
    seen: list[int] = []
    measured = InFlightLimiter(InFlightLimits(), seen.append)
    measured.try_acquire(1)
    measured.try_acquire(1)
    measured.release(1)
    measured.release(1)
    assert seen == [1, 2, 1, 0]
