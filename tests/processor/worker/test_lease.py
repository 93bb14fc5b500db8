"""A lease is renewed during the work; the work is cancelled once the lease is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ports.errors import LeaseLostError, StoreUnavailableError
from processor.worker.calls import lease
from processor.worker.calls.lease import Lease
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

LEASE_S = 0.15


@dataclass
class Renewals:
    """Counts renewals, and returns their results."""

    result: Callable[[int], bool] = field(default=lambda _number: True)
    count: int = 0

    async def __call__(self) -> bool:
        """One renewal."""
        self.count += 1
        return self.result(self.count)


async def is_renewed(renewals: Renewals, times: int) -> bool:
    """Whether there were that many renewals."""
    return renewals.count >= times


def new_lease(renewals: Renewals) -> Lease:
    """A lease that has just begun."""
    return Lease(renewals, LEASE_S, asyncio.get_running_loop().time())


def unavailable(_number: int) -> bool:
    """Raises as if Postgres were unavailable."""
    raise StoreUnavailableError("unavailable")


async def test_long_work_keeps_its_lease() -> None:
    """The work may take many times the lease; the lease is renewed in time."""
    renewals = Renewals()

    async def work() -> str:
        await until(lambda: is_renewed(renewals, 10), 10)
        return "done"

    assert await new_lease(renewals).renew_during(work()) == "done"


async def test_short_work_renews_nothing() -> None:
    """Most calls are much shorter than their lease."""
    renewals = Renewals()
    assert await new_lease(renewals).renew_during(asyncio.sleep(0, "done")) == "done"
    assert renewals.count == 0


async def test_a_lost_lease_ends_the_work() -> None:
    """Another worker has the call, so our work is cancelled."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    renewals = Renewals(lambda number: number < 3)
    with pytest.raises(LeaseLostError):
        await new_lease(renewals).renew_during(work())
    assert ended.is_set()
    assert renewals.count == 3, "it ends at the first refused renewal"


async def test_a_renewal_may_fail_while_the_lease_lasts() -> None:
    """Postgres is unavailable for a moment, and the work continues."""
    renewals = Renewals(lambda number: number % 2 == 0 or unavailable(number))

    async def work() -> str:
        await until(lambda: is_renewed(renewals, 6), 10)
        return "done"

    assert await new_lease(renewals).renew_during(work()) == "done"


@pytest.mark.parametrize("silent", [True, False])
async def test_a_lease_that_cannot_be_renewed_is_lost(*, silent: bool) -> None:
    """After its end another worker may have the call, even if Postgres never responds."""
    never = asyncio.Event()

    async def renew() -> bool:
        if silent:
            await never.wait()
        return unavailable(0)

    began = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLostError):
        await Lease(renew, LEASE_S, began).renew_during(asyncio.sleep(60))
    assert asyncio.get_running_loop().time() - began < LEASE_S + 0.5
    never.set()
    await asyncio.sleep(0)


async def test_what_the_work_raises_is_raised() -> None:
    """The lease does not change the error."""

    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await new_lease(Renewals()).renew_during(work())


async def test_work_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that ignores its cancellation is abandoned."""
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
            await new_lease(Renewals(lambda _number: False)).renew_during(work())
    release.set()
    await asyncio.sleep(0.01)
