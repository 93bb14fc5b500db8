"""Records in flight are limited in number and in bytes; delivered ones do not count."""

import asyncio

import pytest

from messaging.in_flight import InFlightLimiter, InFlightLimits

pytestmark = pytest.mark.anyio


def limiter(records: int = 10, size: int = 100) -> InFlightLimiter:
    """A limiter without a metric."""
    return InFlightLimiter(InFlightLimits(records, size), lambda _records: None)


def test_bytes_are_released() -> None:
    """Any number of records may pass, two at a time here."""
    small = limiter()
    for _ in range(50):
        assert [small.try_acquire(40), small.try_acquire(40)] == [True, True]
        small.release(40)
        small.release(40)


def test_either_limit_applies() -> None:
    """Few large records fill it as many small ones do."""
    assert [limiter(records=2).try_acquire(1) for _ in range(2)] == [True, True]
    full = limiter(records=2)
    assert [full.try_acquire(1) for _ in range(3)] == [True, True, False]
    heavy = limiter(size=100)
    assert [heavy.try_acquire(50), heavy.try_acquire(50), heavy.try_acquire(1)] == [
        True,
        True,
        False,
    ]


def test_a_record_larger_than_the_limit_goes_alone() -> None:
    """Otherwise it would wait for ever."""
    small = limiter(size=100)
    assert small.try_acquire(1000)
    assert not small.try_acquire(1)
    small.release(1000)
    assert small.try_acquire(1)
    assert not small.try_acquire(1000)


async def test_waiting_tasks_continue_when_there_is_room() -> None:
    """Each of many waiting tasks continues as records are delivered."""
    narrow, passed = limiter(records=1), list[int]()

    async def take(number: int) -> None:
        await narrow.acquire(1)
        passed.append(number)
        await asyncio.sleep(0)
        narrow.release(1)

    async with asyncio.timeout(5):
        await asyncio.gather(*(take(number) for number in range(20)))
    assert sorted(passed) == list(range(20))


def test_the_number_in_flight_is_measured() -> None:
    """The metric is set after each change."""
    measured_values: list[int] = []
    measured = InFlightLimiter(InFlightLimits(), measured_values.append)
    measured.try_acquire(1)
    measured.try_acquire(1)
    measured.release(1)
    measured.release(1)
    assert measured_values == [1, 2, 1, 0]
