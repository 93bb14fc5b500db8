"""Workers that share a rate budget, in virtual time: what the provider sees, from seeds.

Three workers make calls, look-ups and sweeps as fast as their budgets allow. One of them may die
and start again, with the tokens that it held; statements and requests take a while; the provider
may take fewer requests than we think.
"""

import asyncio
import random
from bisect import bisect_right
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import Final

import pytest
from prometheus_client import CollectorRegistry

from ports.errors import StoreUnavailableError
from ports.provider import RateLimitedError
from ports.rate_budget import (
    CHUNK_S,
    LONGEST_BLOCK_S,
    Bucket,
    Granted,
    RateLimit,
    RequestClass,
    blocked,
    granted,
)
from processor.worker.metrics import BudgetMetrics
from processor.worker.rate_budget import SharedBudget
from tests.simulation import loop

CALL, LOOK_UP, SWEEP = RequestClass
SEEDS: Final = range(4)
SECONDS: Final = 12.0
#: The longest time of a statement, and of a request on its way, in seconds.
STATEMENT_S, REQUEST_S = 0.005, 0.008


class Buckets:
    """A ``RateBudgetStore`` in memory, which is away in some seconds."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now = asyncio.get_running_loop().time
        self._bucket = Bucket(0.0, 0.0, 0.0)
        self.away = frozenset[int]()

    async def _travel(self) -> None:
        await asyncio.sleep(self._rng.uniform(0.0005, STATEMENT_S))
        if int(self._now()) in self.away:
            raise StoreUnavailableError("Postgres: away")

    async def take(self, limit: RateLimit, what: RequestClass, wanted: int) -> Granted:
        """See ``RateBudgetStore.take``."""
        await self._travel()
        answer, self._bucket = granted(self._bucket, limit, what, wanted, self._now())
        return answer

    async def block(self, limit: RateLimit, wish_s: float | None, jitter: float) -> float:
        """See ``RateBudgetStore.block``."""
        del limit
        await self._travel()
        self._bucket = blocked(self._bucket, wish_s, jitter, self._now())
        return self._bucket.blocked_until - self._now()


class Provider:
    """Takes so many requests in any one second, and refuses others."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._now = asyncio.get_running_loop().time
        self.came: list[float] = []
        self.refused: list[float] = []

    def takes(self) -> bool:
        """Whether a request that comes now is taken."""
        now = self._now()
        self.came.append(now)
        recent = len(self.came) - bisect_right(self.came, now - 1)
        if recent > self._per_s:
            self.refused.append(now)
        return recent <= self._per_s


class World:
    """The workers of one seed and their provider."""

    def __init__(self, seed: int, limit: RateLimit, takes_per_s: float) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # seeded on purpose
        self._limit = limit
        self._now = asyncio.get_running_loop().time
        self.store = Buckets(self.rng)
        self.provider = Provider(takes_per_s)
        self.made: Counter[RequestClass] = Counter()
        #: Seconds that each call waited for its token.
        self.waited: list[float] = []

    def budget(self) -> SharedBudget:
        """The budget of a new worker process."""
        metrics = BudgetMetrics(CollectorRegistry())
        return SharedBudget("stripe", self._limit, self.store, metrics, self.rng)

    async def ask(self, budget: SharedBudget, what: RequestClass) -> None:
        """Makes one request, if the budget allows it."""
        began = self._now()
        with suppress(RateLimitedError):
            await budget.take(what)
            if what is CALL:
                self.waited.append(self._now() - began)
            await asyncio.sleep(self.rng.uniform(0.0, REQUEST_S))
            self.made[what] += 1
            if not self.provider.takes():
                await budget.refused(None)
            await asyncio.sleep(self.rng.uniform(0.0, 0.3))
        await asyncio.sleep(0.01)

    async def keep_asking(self, budget: SharedBudget, what: RequestClass) -> None:
        """Makes one request after the other."""
        while True:
            await self.ask(budget, what)

    async def work(self, places: dict[RequestClass, int], *, dies: bool) -> None:
        """Is one worker with so many requests at a time; it may be killed every few seconds."""
        while True:
            budget = self.budget()
            asking = [
                asyncio.create_task(self.keep_asking(budget, what))
                for what, number in places.items()
                for _ in range(number)
            ]
            await asyncio.sleep(self.rng.uniform(1, 3) if dies else SECONDS)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def run(self, places: dict[RequestClass, int]) -> None:
        """Runs three workers, one of which dies."""
        workers = [asyncio.create_task(self.work(places, dies=n == 0)) for n in range(3)]
        await asyncio.sleep(SECONDS)
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def run(
    seed: int, places: dict[RequestClass, int], per_s: float = 100.0, takes_per_s: float = 100.0
) -> World:
    """Runs one seed."""

    async def live() -> World:
        world = World(seed, RateLimit("account", per_s), takes_per_s)
        if seed % 3 == 0:
            world.store.away = frozenset(world.rng.sample(range(3, 9), 2))
        await world.run(places)
        return world

    return loop.run(live(), seed)


@pytest.mark.parametrize("per_s", [5.0, 25.0, 100.0])
def test_the_provider_never_has_to_refuse_a_request(per_s: float) -> None:
    """No second has more requests than it takes, and most of them are used."""
    for seed in SEEDS:
        world = run(seed, dict.fromkeys(RequestClass, 6), per_s, takes_per_s=per_s)
        assert world.provider.refused == [], seed
        away_s = 2 if seed % 3 == 0 else 0
        assert len(world.provider.came) > per_s * 0.5 * (SECONDS - 6 * away_s), seed
        assert world.made[SWEEP] + world.made[LOOK_UP] <= max(4, world.made[CALL] / 5), seed


def test_calls_come_first_whatever_the_sweeps_want() -> None:
    """One call at a time in each worker waits for a fraction of a second."""
    for seed in SEEDS:
        if seed % 3:  # Postgres is there
            world = run(seed, {CALL: 1, SWEEP: 8})
            assert max(world.waited) < 0.3, seed
            assert world.made[SWEEP] > 10 * SECONDS, seed


def test_a_provider_that_takes_less_is_left_alone() -> None:
    """A refusal stops every worker, for longer while refusals go on; then all ask again."""
    for seed in SEEDS:
        world = run(seed, {CALL: 10}, takes_per_s=40.0)
        refused, came = world.provider.refused, world.provider.came
        assert refused, seed
        assert len(refused) < len(came) / 4, seed
        assert max(b - a for a, b in pairwise(came)) < LONGEST_BLOCK_S + 6, seed
        if seed % 3:  # Postgres is there to block the account
            first = refused[0] + STATEMENT_S + CHUNK_S + REQUEST_S
            assert not [at for at in came if first < at < refused[0] + 0.25], seed


def test_a_seed_is_always_the_same_run() -> None:
    """The requests come at the same moments."""
    one, same, other = (run(seed, {CALL: 4, SWEEP: 4}).provider.came for seed in (1, 1, 2))
    assert one == same != other
