"""A worker process's share of a provider account's rate budget.

It takes tokens from the account's bucket in small chunks, so that one statement serves several
requests where there are several, and a process that makes few requests takes few tokens.
"""

import asyncio
import random
from collections import Counter
from typing import Any, Final

from ports.errors import StoreUnavailableError
from ports.provider import RateLimitedError
from ports.rate_budget import (
    CHUNK_S,
    FIRST_BLOCK_S,
    LONGEST_WISH_S,
    RateBudgetStore,
    RateLimit,
    RequestClass,
    wait_s,
)
from processor.worker.metrics import BudgetMetrics
from runtime.logs import get_logger
from runtime.tasks import best_effort

log = get_logger(__name__)

#: Seconds that a request may wait for a token. A call gives its place in the dispatcher back then.
LONGEST_WAIT_S: Final = 5.0
#: The least time between two statements of a process that gets nothing, in seconds.
SHORTEST_WAIT_S: Final = 0.025
#: Seconds that the block of an account may take to write.
BLOCK_WITHIN_S: Final = 1.0
#: The back-off after a refusal is drawn between this factor of it and all of it.
LEAST_JITTER: Final = 0.5
_CLASSES: Final = tuple(RequestClass)


class Chunk:
    """Tokens that a process took for one class. What it has not used after ``CHUNK_S`` lapses."""

    def __init__(self, tokens: int, now: float) -> None:
        self.left = tokens
        self.lapses_at = now + CHUNK_S
        self._tokens = tokens

    def use(self, now: float) -> bool:
        """Uses a token. Returns whether there was one."""
        if not self.left or now >= self.lapses_at:
            return False
        self.left -= 1
        return True

    def next_size(self, now: float) -> int:
        """How many tokens to take next: twice as many if these were too few, or as many as used."""
        return 2 * self._tokens if now < self.lapses_at else self._tokens - self.left


class SharedBudget:
    """A ``RateBudget`` on a bucket that all workers share.

    While Postgres does not answer, no request may be made: nobody knows what the others make.

    Args:
        provider: its name, for metrics.
        limit: the account's.
        store: the buckets.
        metrics: of the rate budgets.
        rng: draws the jitter of blocks.
        is_account: it is the account's own, through which each request goes once.
    """

    def __init__(
        self,
        provider: str,
        limit: RateLimit,
        store: RateBudgetStore,
        metrics: BudgetMetrics,
        rng: random.Random,
        *,
        is_account: bool = True,
    ) -> None:
        self._provider = provider
        self._limit = limit
        self._store = store
        self._metrics = metrics
        self._rng = rng
        self._is_account = is_account
        self._now = asyncio.get_running_loop().time
        self._chunks: dict[RequestClass, Chunk] = {}
        self._waiting: Counter[RequestClass] = Counter()
        #: When a class that got nothing could get something, by the event loop's time.
        self._empty_until: dict[RequestClass, float] = {}
        self._blocked_until = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._endpoints: dict[str, SharedBudget] = {}

    @property
    def blocked_s(self) -> float:
        """See ``RateBudget.blocked_s``."""
        return max(0.0, self._blocked_until - self._now())

    def of_endpoint(self, endpoint: str) -> "SharedBudget | None":
        """See ``RateBudget.of_endpoint``. It is in the metrics under the account and its name."""
        known = self._endpoints.get(endpoint)
        if known is None and (limit := self._limit.of_endpoint(endpoint)) is not None:
            name = f"{self._provider} {endpoint}"
            known = SharedBudget(
                name, limit, self._store, self._metrics, self._rng, is_account=False
            )
            self._endpoints[endpoint] = known
        return known

    async def take(self, what: RequestClass) -> None:
        """See ``RateBudget.take``."""
        began = self._now()
        self._waiting[what] += 1
        try:
            await self._wait(what, began + LONGEST_WAIT_S)
        except RateLimitedError:
            self._metrics.denied.labels(self._provider, what).inc()
            raise
        else:
            if self._is_account and what is not RequestClass.CALL:
                self._metrics.reads.labels(self._provider).inc()
        finally:
            self._waiting[what] -= 1
            waited_s = self._now() - began
            self._metrics.wait_seconds.labels(self._provider, what).observe(waited_s)

    async def _wait(self, what: RequestClass, until: float) -> None:
        while not self._use(what):
            empty_s = max(self.blocked_s, self._empty_until.get(what, 0.0) - self._now())
            if self._now() + empty_s >= until:
                why = "the account is blocked" if self.blocked_s else "the budget is used up"
                raise RateLimitedError(why, max(empty_s, SHORTEST_WAIT_S))
            if empty_s > 0:
                await asyncio.sleep(empty_s)
            else:
                await self._ask_once(what, until)

    def _use(self, what: RequestClass) -> bool:
        """Uses a token of this class, or of one after it, which leaves more to others."""
        now = self._now()
        return any(
            chunk.use(now)
            for each in _CLASSES[_CLASSES.index(what) :]
            if (chunk := self._chunks.get(each)) is not None
        )

    async def _ask_once(self, what: RequestClass, until: float) -> None:
        """Asks for a chunk, or waits for the answer if this process is asking already."""
        if self._asking is None or self._asking.done():
            # a task of its own, never cancelled: a pool could lose its connection
            self._asking = asyncio.create_task(self._ask(what))
        asking = self._asking
        await asyncio.wait({asking}, timeout=until - self._now())
        if not asking.done() or asking.cancelled():
            raise RateLimitedError("the budget can't be read", LONGEST_WAIT_S)
        try:
            asking.result()
        except StoreUnavailableError as error:
            raise RateLimitedError(f"the budget can't be read: {error}", LONGEST_WAIT_S) from error

    async def _ask(self, what: RequestClass) -> None:
        last, limit = self._chunks.get(what), self._limit
        size = max(last.next_size(self._now()) if last is not None else 1, self._waiting[what], 1)
        answer = await self._store.take(limit, what, min(size, limit.chunk))
        now = self._now()
        if answer.tokens:
            self._chunks[what] = Chunk(answer.tokens, now)
            self._metrics.tokens.labels(self._provider, what).inc(answer.tokens)
        else:
            self._empty_until[what] = now + max(SHORTEST_WAIT_S, wait_s(answer, limit, what))
        if answer.blocked_s:
            self._block(answer.blocked_s)

    async def refused(self, wish_s: float | None) -> None:
        """See ``RateBudget.refused``. This process stops even if Postgres can't tell the others."""
        jitter = self._rng.uniform(LEAST_JITTER, 1.0)
        began, was_s = self._now(), self.blocked_s
        self._block(max(jitter * FIRST_BLOCK_S, min(wish_s or 0.0, LONGEST_WISH_S)))
        blocking = asyncio.create_task(self._store.block(self._limit, wish_s, jitter))
        blocking.add_done_callback(_retrieve_exception)
        await asyncio.wait({blocking}, timeout=BLOCK_WITHIN_S)
        try:
            self._block(blocking.result())
        except (StoreUnavailableError, asyncio.CancelledError, asyncio.InvalidStateError) as error:
            log.warning("budget.block_not_written", provider=self._provider, error=repr(error))
        with best_effort("metrics"):
            more_s = max(0.0, self._blocked_until - began - was_s)
            self._metrics.refusals.labels(self._provider).inc()
            self._metrics.blocked_seconds.labels(self._provider).inc(more_s)

    def _block(self, seconds: float) -> None:
        self._chunks.clear()
        self._blocked_until = max(self._blocked_until, self._now() + seconds)


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Prevents asyncio's warning about an exception that nobody retrieved."""
    if not task.cancelled():
        task.exception()
