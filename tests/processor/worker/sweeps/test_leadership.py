"""One process leads: the one that owns the lock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postgres.stores import Pool
from processor.worker.sweeps import leadership
from processor.worker.sweeps.leadership import PostgresLeadership
from tests.support import database
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

DISCONNECT_LEADER = """
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and granted
        and database = (select oid from pg_database where datname = current_database())"""


class Candidate(PostgresLeadership):
    """One that counts its rests."""

    rests = 0

    async def _rest(self) -> None:
        self.rests += 1
        await super()._rest()


@asynccontextmanager
async def running(candidate: Candidate) -> AsyncIterator[asyncio.Task[None]]:
    """Runs it until the end, as its process does."""
    task = asyncio.create_task(candidate.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def leads(candidate: Candidate) -> None:
    """Returns once it leads."""

    async def holds() -> bool:
        return candidate.is_held

    await until(holds, 10)


async def rests(candidate: Candidate, times: int) -> None:
    """Returns once it has checked so many times more."""
    wanted = candidate.rests + times

    async def has() -> bool:
        return candidate.rests >= wanted

    await until(has, 10)


async def test_one_process_leads_and_another_follows(own_database: str) -> None:
    """The second does not lead while the first lives, and takes over afterwards."""
    leader, follower = (Candidate(own_database, every_s=0.01) for _ in range(2))
    async with running(leader) as task:
        await leads(leader)
        async with running(follower):
            await rests(follower, 3)
            assert (leader.is_held, follower.is_held) == (True, False)
            task.cancel()
            await leads(follower)
            assert not leader.is_held


async def test_a_leader_that_lost_its_connection_tries_again(own_database: str, pool: Pool) -> None:
    """Its lock ended with the connection; it leads again once it has the lock."""
    leader = Candidate(own_database, every_s=0.01)
    async with running(leader):
        await leads(leader)
        assert await database.rows(pool, DISCONNECT_LEADER) == [(True,)]
        await rests(leader, 3)
        await leads(leader)


async def test_a_leader_that_can_not_check_its_lock_ceases_to_lead(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may have it."""
    leader = Candidate(own_database, every_s=30.0)
    async with running(leader):
        await leads(leader)
        monkeypatch.setattr(leadership, "CONFIRMED_FOR_S", 0.0)
        assert not leader.is_held
