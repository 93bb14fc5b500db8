"""Worker processes share an account's rate: no more than it, calls first, one refusal for all."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool

from ports.errors import StoreUnavailableError
from ports.provider import RateLimitedError
from ports.rate_budget import (
    CHUNK_S,
    FIRST_BLOCK_S,
    Granted,
    RateLimit,
    RequestBudget,
    RequestClass,
)
from postgres.rate_budgets import PostgresRateBudgets
from postgres.stores import Pool
from processor.worker import rate_budget
from processor.worker.metrics import BudgetMetrics
from processor.worker.rate_budget import SharedBudget
from tests.support import database

pytestmark = pytest.mark.anyio

CALL, LOOK_UP, SWEEP = RequestClass
LIMIT: Final = RateLimit("stripe/acct_1/live", 100.0)
#: The same with a limit of each endpoint.
NARROW: Final = RateLimit("stripe/acct_1/live", 100.0, 25.0)
SECONDS: Final = 3.0


class Store:
    """A ``RateBudgetStore`` whose answers a test sets; without one, all that is wanted is given."""

    def __init__(self) -> None:
        self.answers: list[Granted | Exception] = []
        self.asked: list[tuple[RequestClass, int]] = []
        self.blocks: list[float | Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def take(self, limit: RateLimit, what: RequestClass, wanted: int) -> Granted:
        """See ``RateBudgetStore.take``."""
        assert limit.account.startswith(LIMIT.account)
        self.asked.append((what, wanted))
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else Granted(wanted, LIMIT.burst)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def block(self, limit: RateLimit, wish_s: float | None, jitter: float) -> float:
        """See ``RateBudgetStore.block``."""
        del limit, wish_s
        await self.gate.wait()
        answer = self.blocks.pop(0) if self.blocks else jitter
        if isinstance(answer, Exception):
            raise answer
        return answer


class Worker:
    """One process's budget, and its metrics."""

    def __init__(self, store: Store | PostgresRateBudgets, limit: RateLimit = LIMIT) -> None:
        self.registry = CollectorRegistry()
        rng = random.Random(3)  # noqa: S311  # jitter is no secret
        self.budget = SharedBudget("stripe", limit, store, BudgetMetrics(self.registry), rng)
        self.taken: list[tuple[float, RequestClass]] = []

    def endpoint(self, name: str) -> "Worker":
        """The same process's budget of one endpoint."""
        of_it = Worker(Store(), NARROW)
        found = self.budget.of_endpoint(name)
        assert found is not None
        of_it.budget = found
        return of_it

    async def take(self, what: RequestClass) -> None:
        """Takes one token, and notes when."""
        await self.budget.take(what)
        self.taken.append((time.monotonic(), what))

    async def take_all(self, what: RequestClass, at_once: int) -> None:
        """Takes as many as it gets, this many at a time."""

        async def forever() -> None:
            while True:
                with suppress(RateLimitedError):
                    await self.take(what)

        await asyncio.gather(*(forever() for _ in range(at_once)))

    def counted(self, name: str, what: RequestClass | None = None) -> float:
        """The value of a counter."""
        labels = {"provider": "stripe"} | ({"request": str(what)} if what else {})
        return self.registry.get_sample_value(f"payments_{name}", labels) or 0.0


@asynccontextmanager
async def process(url: str, limit: RateLimit = LIMIT) -> AsyncIterator[Worker]:
    """A worker with connections of its own, as another process has."""
    pool: Pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False)
    async with pool:
        yield Worker(PostgresRateBudgets(pool), limit)


async def work(seconds: float, *loops: object) -> float:
    """Runs these for so many seconds. Returns how long it was."""
    began = time.monotonic()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*loops)  # type: ignore[call-overload]  # coroutines
    return time.monotonic() - began


def most_in_a_second(times: list[float]) -> int:
    """The most of these moments in any one second."""
    return max(sum(t <= each < t + 1 for each in times) for t in times)


@pytest.mark.alone
async def test_two_processes_never_exceed_the_rate(own_database: str) -> None:
    """Together: what flows in and a full bucket; and no second has more than the limit."""
    async with process(own_database) as one, process(own_database) as other:
        took_s = await work(SECONDS, one.take_all(CALL, 16), other.take_all(CALL, 16))
    times = sorted(at for worker in (one, other) for at, _ in worker.taken)
    assert len(times) <= LIMIT.burst + LIMIT.fill_per_s * (took_s + CHUNK_S)
    assert len(times) >= LIMIT.fill_per_s * took_s * 0.9 - LIMIT.burst
    assert most_in_a_second(times) <= LIMIT.per_s
    assert min(len(one.taken), len(other.taken)) > len(times) / 5


@pytest.mark.alone
async def test_calls_get_through_while_sweeps_take_everything(own_database: str) -> None:
    """A call among two busy sweeps waits for a fraction of a second; the sweeps use the rest."""
    async with process(own_database) as one, process(own_database) as other:

        async def calls() -> None:
            while True:
                await one.take(CALL)
                await asyncio.sleep(0.02)

        await work(SECONDS, one.take_all(SWEEP, 8), other.take_all(SWEEP, 8), calls())
    made = [at for at, what in one.taken if what is CALL]
    gaps = [later - earlier for earlier, later in pairwise(made)]
    assert len(made) > SECONDS / 0.02 * 0.6
    assert max(gaps) < 0.3
    assert sum(what is SWEEP for worker in (one, other) for _, what in worker.taken) > 20


@pytest.mark.alone
async def test_sweeps_get_what_calls_leave(own_database: str) -> None:
    """Nothing, where calls want all of it; a sweep then gives up within its wait."""
    async with process(own_database) as one, process(own_database) as other:
        await work(SECONDS, one.take_all(CALL, 16), other.take_all(SWEEP, 8))
    assert len(one.taken) > LIMIT.fill_per_s * SECONDS * 0.9 - LIMIT.burst
    assert len(other.taken) <= LIMIT.burst


@pytest.mark.alone
async def test_a_refusal_seen_by_one_stops_the_other(own_database: str) -> None:
    """Within the life of a chunk, for as long as the block lasts."""
    async with process(own_database) as one, process(own_database) as other:
        going = asyncio.ensure_future(work(1.5, other.take_all(CALL, 16)))
        await asyncio.sleep(0.5)
        await one.budget.refused(None)
        at, for_s = time.monotonic(), one.budget.blocked_s
        await going
        assert other.budget.blocked_s == 0
    assert FIRST_BLOCK_S / 4 < for_s <= FIRST_BLOCK_S
    meanwhile = [t for t, _ in other.taken if at + CHUNK_S + 0.05 < t < at + for_s - 0.05]
    assert meanwhile == []
    assert any(t > at + for_s for t, _ in other.taken)
    assert one.counted("rate_limit_refusals_total") == 1
    assert one.counted("rate_budget_blocked_seconds_total") == pytest.approx(for_s, abs=0.1)


async def test_without_postgres_no_request_is_made(own_database: str) -> None:
    """Nobody knows what the other workers make. It is bounded, and the reason says it."""
    async with process(own_database) as worker:
        await worker.take(CALL)
        await asyncio.sleep(CHUNK_S)
        worker.budget._store._pool = AsyncConnectionPool(  # type: ignore[attr-defined]
            "postgresql://nobody@127.0.0.1:1/none", min_size=0, max_size=1, open=False, timeout=0.5
        )
        await worker.budget._store._pool.open()  # type: ignore[attr-defined]
        began = time.monotonic()
        with pytest.raises(RateLimitedError, match="can't be read") as raised:
            await worker.take(CALL)
        await worker.budget._store._pool.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < rate_budget.LONGEST_WAIT_S
    assert raised.value.retry_after_s == rate_budget.LONGEST_WAIT_S
    assert worker.counted("rate_budget_denied_total", CALL) == 1


async def test_a_silent_postgres_delays_a_request_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The statement goes on, for a connection whose task is cancelled may be lost."""
    monkeypatch.setattr(rate_budget, "LONGEST_WAIT_S", 0.2)
    store = Store()
    store.gate.clear()
    worker = Worker(store)
    with pytest.raises(RateLimitedError, match="can't be read"):
        await worker.take(CALL)
    store.gate.set()
    await worker.take(CALL)
    assert len(store.asked) == 1


async def test_requests_that_wait_together_share_a_statement() -> None:
    """It asks for as many as wait, up to a chunk."""
    store = Store()
    worker = Worker(store)
    store.gate.clear()
    taking = asyncio.gather(*(worker.take(CALL) for _ in range(20)))
    await asyncio.sleep(0)
    store.gate.set()
    await taking
    assert [wanted for _, wanted in store.asked] == [LIMIT.chunk] * 3
    assert worker.counted("rate_budget_tokens_total", CALL) == 3 * LIMIT.chunk


async def test_a_process_that_asks_little_takes_little() -> None:
    """A chunk is as large as the last was useful, and its rest lapses."""
    store = Store()
    worker = Worker(store)
    for _ in range(3):
        await worker.take(CALL)
        await asyncio.sleep(CHUNK_S)
    assert [wanted for _, wanted in store.asked] == [1, 1, 1]
    for _ in range(15):
        await worker.take(CALL)
    assert [wanted for _, wanted in store.asked[3:]] == [1, 2, 4, 8]
    await asyncio.sleep(CHUNK_S)
    await worker.take(CALL)
    assert store.asked[-1] == (CALL, 8)
    await asyncio.sleep(CHUNK_S)
    await worker.take(CALL)
    assert store.asked[-1] == (CALL, 1)


async def test_a_sweep_does_not_use_the_tokens_of_calls() -> None:
    """A call may use a sweep's: those left more in the bucket."""
    store = Store()
    store.answers = [Granted(8, 0.0), Granted(8, 5.0)]
    worker = Worker(store)
    await worker.take(CALL)
    await worker.take(SWEEP)
    assert [what for what, _ in store.asked] == [CALL, SWEEP]
    for _ in range(14):
        await worker.take(CALL)
    assert len(store.asked) == 2


async def test_an_empty_budget_puts_a_request_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how long; it was not sent. Waiting asks a few times a second, not in a loop."""
    monkeypatch.setattr(rate_budget, "LONGEST_WAIT_S", 0.3)
    store = Store()
    store.answers = [Granted(0, 0.0)] * 100
    worker = Worker(store)
    with pytest.raises(RateLimitedError, match="used up") as raised:
        await asyncio.gather(*(worker.take(CALL) for _ in range(8)))
    assert raised.value.retry_after_s == pytest.approx(rate_budget.SHORTEST_WAIT_S, abs=0.02)
    assert 4 <= len(store.asked) <= 0.4 / rate_budget.SHORTEST_WAIT_S


async def test_a_long_block_puts_a_request_off_at_once() -> None:
    """Nobody waits for its end with a place that another provider's call could have."""
    store = Store()
    store.answers = [Granted(0, 10.0, blocked_s=30.0)]
    worker = Worker(store)
    for _ in range(2):
        with pytest.raises(RateLimitedError, match="blocked") as raised:
            await worker.take(LOOK_UP)
        assert raised.value.retry_after_s == pytest.approx(30.0, abs=0.5)
    assert len(store.asked) == 1
    assert worker.budget.blocked_s == pytest.approx(30.0, abs=0.5)


@pytest.mark.parametrize("trouble", ["unavailable", "silent"])
async def test_a_refusal_stops_this_process_without_postgres(
    monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """The others stop when they are refused. A chunk's rest is not used."""
    monkeypatch.setattr(rate_budget, "BLOCK_WITHIN_S", 0.05)
    monkeypatch.setattr(rate_budget, "LONGEST_WAIT_S", 0.1)
    store = Store()
    store.answers = [Granted(8, 0.0)]
    worker = Worker(store)
    await worker.take(CALL)
    if trouble == "silent":
        store.gate.clear()
    else:
        store.blocks = [StoreUnavailableError("Postgres: away")]
    await worker.budget.refused(None)
    assert worker.budget.blocked_s > FIRST_BLOCK_S / 4
    with pytest.raises(RateLimitedError, match="blocked"):
        await worker.take(CALL)
    store.gate.set()


async def test_a_refusal_is_stored_for_the_others(pool: Pool) -> None:
    """With the time that the provider wants."""
    worker = Worker(PostgresRateBudgets(pool))
    await worker.budget.refused(20.0)
    assert worker.budget.blocked_s == pytest.approx(20.0, abs=0.5)
    statement = "select blocked_until - now() > '19 s' from rate_budgets where account = %s"
    assert await database.rows(pool, statement, LIMIT.account) == [(True,)]


@pytest.mark.alone
async def test_two_processes_never_exceed_an_endpoints_rate(own_database: str) -> None:
    """However much the account has left; another endpoint has a rate of its own."""
    async with process(own_database, NARROW) as one, process(own_database, NARROW) as other:
        ends = {name: one.endpoint(name) for name in ("create", "capture")}
        again = other.endpoint("create")
        took_s = await work(
            SECONDS,
            ends["create"].take_all(CALL, 8),
            again.take_all(CALL, 8),
            ends["capture"].take_all(CALL, 8),
        )
    limit = NARROW.of_endpoint("create")
    assert limit is not None
    creates = sorted(at for worker in (ends["create"], again) for at, _ in worker.taken)
    assert len(creates) <= limit.burst + limit.fill_per_s * (took_s + CHUNK_S)
    assert len(creates) > limit.fill_per_s * took_s / 2
    assert most_in_a_second(creates) <= 25
    assert len(ends["capture"].taken) > limit.fill_per_s * took_s / 2


async def test_an_endpoint_whose_limit_is_no_lower_costs_no_statement() -> None:
    """The account's budget limits it: 25 of each of 25 in all, as in test mode."""
    for limit in (LIMIT, RateLimit("any", 25.0, 25.0), RateLimit("any", 20.0, 25.0)):
        assert Worker(Store(), limit).budget.of_endpoint("create") is None
    narrow = Worker(Store(), NARROW).budget
    found = narrow.of_endpoint("create")
    assert found is not None
    assert narrow.of_endpoint("create") is found
    assert narrow.of_endpoint("capture") is not found


async def test_a_refusal_of_an_endpoint_blocks_no_other(pool: Pool) -> None:
    """Nor the account: only requests of that endpoint wait, in every process."""
    one, other = (Worker(PostgresRateBudgets(pool), NARROW).budget for _ in range(2))
    requests = RequestBudget(one, SWEEP)
    await requests.refused(30.0, "create")
    assert one.blocked_s == 0
    with suppress(RateLimitedError):  # the first request of an account finds an empty bucket
        await RequestBudget(other, SWEEP).take(writes=True, endpoint="create")
    with pytest.raises(RateLimitedError, match="blocked"):
        await RequestBudget(other, SWEEP).take(writes=True, endpoint="create")
    await RequestBudget(other, SWEEP).take(writes=True, endpoint="capture")


async def test_every_read_is_counted_once_and_no_call() -> None:
    """A provider allows so many for each payment; what was put off was not made."""
    store = Store()
    worker = Worker(store, NARROW)
    for what in (CALL, LOOK_UP, SWEEP, SWEEP):
        await RequestBudget(worker.budget, what).take(writes=what is CALL, endpoint="list")
    await worker.budget.refused(60.0)
    with pytest.raises(RateLimitedError):
        await RequestBudget(worker.budget, SWEEP).take(writes=False)
    counted = worker.registry.get_sample_value
    assert counted("payments_provider_reads_total", {"provider": "stripe"}) == 3
    assert counted("payments_provider_reads_total", {"provider": "stripe list"}) is None


async def test_how_long_a_request_waited_is_measured() -> None:
    """Not since when the process runs."""
    worker = Worker(Store())
    for _ in range(3):
        await worker.take(CALL)
    assert worker.counted("rate_budget_wait_seconds_count", CALL) == 3
    assert worker.counted("rate_budget_wait_seconds_sum", CALL) < 1.0
