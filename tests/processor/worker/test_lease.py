"""What is under way stays ours: its lease is renewed, and let go of once it is another's."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ports.errors import LeaseLostError, StoreUnavailableError
from processor.worker import lease
from processor.worker.lease import Lease
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

LEASE_S = 0.15


@dataclass
class Renewals:
    """Answers renewals, and counts them."""

    answer: Callable[[int], bool] = field(default=lambda _number: True)
    asked: int = 0

    async def __call__(self) -> bool:
        """One renewal."""
        self.asked += 1
        return self.answer(self.asked)


async def is_asked(renewals: Renewals, times: int) -> bool:
    """Whether it was asked so many times."""
    return renewals.asked >= times


def held_lease(renewals: Renewals) -> Lease:
    """A lease that has just begun."""
    return Lease(renewals, LEASE_S, asyncio.get_running_loop().time())


def away(_number: int) -> bool:
    """Postgres does not answer."""
    raise StoreUnavailableError("away")


async def test_long_work_keeps_its_lease() -> None:
    """It may take many times the lease; the lease is renewed before it ends each time."""
    renewals = Renewals()

    async def work() -> str:
        await until(lambda: is_asked(renewals, 10), 10)
        return "done"

    assert await held_lease(renewals).renew_during(work()) == "done"


async def test_short_work_renews_nothing() -> None:
    """Most calls take far less than their lease."""
    renewals = Renewals()
    assert await held_lease(renewals).renew_during(asyncio.sleep(0, "done")) == "done"
    assert renewals.asked == 0


async def test_a_lost_lease_ends_the_work() -> None:
    """Another worker is at it: nothing of ours may go on beside it."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    renewals = Renewals(lambda number: number < 3)
    with pytest.raises(LeaseLostError):
        await held_lease(renewals).renew_during(work())
    assert ended.is_set()
    assert renewals.asked == 3, "it ends with the first word that it is another's"


async def test_a_renewal_may_fail_while_the_lease_lasts() -> None:
    """Postgres is away for a moment, and the work goes on."""
    renewals = Renewals(lambda number: number % 2 == 0 or away(number))

    async def work() -> str:
        await until(lambda: is_asked(renewals, 6), 10)
        return "done"

    assert await held_lease(renewals).renew_during(work()) == "done"


@pytest.mark.parametrize("silent", [True, False])
async def test_a_lease_that_can_not_be_renewed_is_lost(*, silent: bool) -> None:
    """After its end another worker may have the call: also where Postgres never answers."""
    never = asyncio.Event()

    async def renew() -> bool:
        if silent:
            await never.wait()
        return away(0)

    began = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLostError):
        await Lease(renew, LEASE_S, began).renew_during(asyncio.sleep(60))
    assert asyncio.get_running_loop().time() - began < LEASE_S + 0.5
    never.set()
    await asyncio.sleep(0)


async def test_what_the_work_raises_is_raised() -> None:
    """The lease changes nothing about it."""

    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await held_lease(Renewals()).renew_during(work())


async def test_work_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than a moment."""
    monkeypatch.setattr(lease, "CANCEL_TIMEOUT_S", 0.1)
    release = asyncio.Event()

    async def work() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(5):
        with pytest.raises(LeaseLostError):
            await held_lease(Renewals(lambda _number: False)).renew_during(work())
    release.set()
    await asyncio.sleep(0.01)
