"""The rate budget of an account at a provider, shared by all workers: how often it may be asked.

A provider limits the requests of an account in any one second, whichever process makes them, and
further those of each endpoint, which is one operation of its API. So there is one bucket of tokens
per account, and one per endpoint of it, in Postgres: it fills at a steady rate, and every request
takes a token. ``granted`` and ``blocked`` are the rules; Postgres does the same in one statement
(``postgres/rate_budgets.py``), and a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor, isinf
from typing import Final, Protocol


class RequestClass(StrEnum):
    """What a request to a provider is for, the most important first."""

    CALL = "call"
    LOOK_UP = "look_up"
    SWEEP = "sweep"


#: The share of a full bucket that each class leaves to those before it: calls can take everything,
#: sweeps live on what calls leave.
RESERVES: Final[Mapping[RequestClass, float]] = {
    RequestClass.CALL: 0.0,
    RequestClass.LOOK_UP: 0.25,
    RequestClass.SWEEP: 0.5,
}
#: A process may use the tokens that it took for so many seconds; what is left then lapses.
CHUNK_S: Final = 0.1
#: A full bucket is this share of a second's requests, and no fewer requests than the second figure.
BURST_SHARE: Final = 0.1
BURST_LEAST: Final = 2.0
#: The most of a second's requests with which the bucket fills. Others use the account too.
FILL_SHARE: Final = 0.8
#: Seconds of the first block after a provider refused a request for its rate; each further one is
#: twice as long, up to the longest. A provider may ask for a longer one, up to the last figure.
FIRST_BLOCK_S: Final = 0.5
LONGEST_BLOCK_S: Final = 10.0
LONGEST_WISH_S: Final = 60.0
#: A refusal that comes so many seconds after the last block, or later, is the first of a new row.
QUIET_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests a provider takes from one account in any one second."""

    #: Names the account and its mode, among those of all providers.
    account: str
    per_s: float
    #: How many of them one endpoint takes. None: as many as all.
    endpoint_per_s: float | None = None

    def of_endpoint(self, endpoint: str) -> "RateLimit | None":
        """Returns the limit of one endpoint; None if the account's is no higher."""
        per_s = self.endpoint_per_s
        if per_s is None or per_s >= self.per_s:
            return None
        return RateLimit(f"{self.account} {endpoint}", per_s)

    @property
    def burst(self) -> float:
        """The tokens of a full bucket."""
        return max(BURST_LEAST, self.per_s * BURST_SHARE)

    @property
    def fill_per_s(self) -> float:
        """Tokens per second. With a full bucket and late use they are a second's requests."""
        return min(self.per_s * FILL_SHARE, (self.per_s - self.burst) / (1 + CHUNK_S))

    def reserve(self, what: RequestClass) -> float:
        """The tokens that a class leaves in the bucket."""
        return self.burst * RESERVES[what]

    @property
    def chunk(self) -> int:
        """The most tokens that a process takes at a time."""
        return max(1, floor(self.fill_per_s * CHUNK_S))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The state of an account's bucket. Times are the database's, in seconds."""

    tokens: float
    filled_at: float
    #: ``inf``: an operator has stopped all requests.
    blocked_until: float
    #: How often in a row the provider refused a request for its rate.
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a process that asked for tokens."""

    tokens: int
    #: What is left in the bucket.
    left: float
    #: Seconds until anything may be taken again, and at most the longest block.
    blocked_s: float = 0.0


def granted(
    bucket: Bucket, limit: RateLimit, what: RequestClass, wanted: int, now: float
) -> tuple[Granted, Bucket]:
    """Returns what a class gets of the tokens that it wants, and the bucket after it. Pure."""
    elapsed_s = max(0.0, now - bucket.filled_at)  # the clock may have been set back
    tokens = min(limit.burst, bucket.tokens + limit.fill_per_s * elapsed_s)
    until = _block_ends(bucket, now)
    blocked_s = min(max(0.0, until - now), LONGEST_WISH_S)
    free = 0 if blocked_s else max(0, min(wanted, floor(tokens - limit.reserve(what))))
    after = replace(bucket, tokens=tokens - free, filled_at=now, blocked_until=until)
    return Granted(free, after.tokens, blocked_s), after


def _block_ends(bucket: Bucket, now: float) -> float:
    """Returns when the block ends. No block is longer than the longest that is made.

    What is further away was written before the database's clock was set back: otherwise nobody
    could ask for as long as it was ahead. A block without an end is an operator's, and stays.
    """
    if isinf(bucket.blocked_until):
        return bucket.blocked_until
    return min(bucket.blocked_until, now + LONGEST_WISH_S)


def wait_s(answer: Granted, limit: RateLimit, what: RequestClass) -> float:
    """Returns the seconds after which a class that got nothing could get one token. Pure."""
    missing = 1 + limit.reserve(what) - answer.left
    return max(answer.blocked_s, missing / limit.fill_per_s)


def blocked(bucket: Bucket, wish_s: float | None, jitter: float, now: float) -> Bucket:
    """Returns the bucket after the provider refused a request for its rate. Pure.

    Args:
        bucket: before.
        wish_s: how many seconds the provider wants to be left alone, if it said so.
        jitter: a factor of the back-off, above 0 and up to 1.
        now: the database's time.
    """
    refusals, ends = bucket.refusals, _block_ends(bucket, now)
    if now >= ends:  # during a block, others that were under way are refused too
        refusals = refusals + 1 if now < ends + QUIET_S else 1
    backoff = min(LONGEST_BLOCK_S, FIRST_BLOCK_S * 2 ** (min(refusals, 30) - 1))
    until = now + max(jitter * backoff, min(wish_s or 0.0, LONGEST_WISH_S))
    return replace(bucket, blocked_until=max(ends, until), refusals=refusals)


class RateBudgetStore(Protocol):
    """The buckets of all accounts."""

    async def take(self, limit: RateLimit, what: RequestClass, wanted: int) -> Granted:
        """Takes up to ``wanted`` tokens, as ``granted`` has it. Raises StoreUnavailableError."""
        ...

    async def block(self, limit: RateLimit, wish_s: float | None, jitter: float) -> float:
        """Blocks the account, as ``blocked`` has it. Returns for how many seconds from now.

        Raises StoreUnavailableError.
        """
        ...


class RateBudget(Protocol):
    """One account's budget, as a worker process has it."""

    @property
    def blocked_s(self) -> float:
        """Seconds for which the account is blocked, as far as this process knows."""
        ...

    async def take(self, what: RequestClass) -> None:
        """Returns when a request of this class may be made. Raises RateLimitedError.

        That says that none may be made within the class's longest wait.
        """
        ...

    async def refused(self, wish_s: float | None) -> None:
        """Notes that the provider refused a request for its rate: nobody may ask it for a while.

        ``wish_s`` is how many seconds the provider wants to be left alone, if it said so.
        """
        ...

    def of_endpoint(self, endpoint: str) -> "RateBudget | None":
        """Returns the endpoint's own budget, within the account's; None if it needs none."""
        ...


class Unlimited:
    """A ``RateBudget`` without a limit."""

    blocked_s = 0.0

    async def take(self, what: RequestClass) -> None:
        """Returns at once."""

    async def refused(self, wish_s: float | None) -> None:
        """Does nothing."""

    def of_endpoint(self, endpoint: str) -> RateBudget | None:
        """Returns None."""
        del endpoint
        return None


@dataclass(frozen=True, slots=True)
class RequestBudget:
    """What a client asks before each of its requests.

    Args:
        budget: its account's.
        reads: what its requests are for that are no calls: look-ups, or sweeps.
    """

    budget: RateBudget
    reads: RequestClass

    async def take(self, *, writes: bool, endpoint: str | None = None) -> None:
        """Returns when a request may be made. Raises RateLimitedError.

        ``endpoint`` names the operation of the provider's API, if the provider limits each. Its
        token is taken first: the account's is the scarcer, and none of it must lapse unused.
        """
        what = RequestClass.CALL if writes else self.reads
        narrow = self.budget.of_endpoint(endpoint) if endpoint is not None else None
        if narrow is not None:
            await narrow.take(what)
        await self.budget.take(what)

    async def refused(self, wish_s: float | None, endpoint: str | None = None) -> None:
        """Notes a refusal for the rate: of this endpoint alone, or None: of the account."""
        narrow = self.budget.of_endpoint(endpoint) if endpoint is not None else None
        await (narrow or self.budget).refused(wish_s)


UNLIMITED: Final = RequestBudget(Unlimited(), RequestClass.SWEEP)
