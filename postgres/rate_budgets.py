"""The rate budgets of the accounts at providers: one row each, one statement per change.

The statements do what ``ports.rate_budget`` says. Times are the database's, read under the row's
lock, so that no two workers count the same moment twice.
"""

from typing import Final

from ports.rate_budget import (
    FIRST_BLOCK_S,
    LONGEST_BLOCK_S,
    LONGEST_WISH_S,
    QUIET_S,
    Granted,
    RateLimit,
    RequestClass,
)
from postgres.stores import Pool, for_one_statement

#: When the block ends: an operator's never, any other at most so many seconds from now.
_ENDS: Final = """case when b.blocked_until = 'infinity' then b.blocked_until
    else least(b.blocked_until, clock.now + make_interval(secs => %(most)s)) end"""

#: For how many seconds the row that was just written is blocked.
_BLOCKED_S: Final = """extract(epoch from least(blocked_until,
    clock_timestamp() + make_interval(secs => %(most)s)) - clock_timestamp())::float8"""

#: A new row begins empty: a crash of Postgres forgets the rows, and what was taken before it.
TAKE: Final = f"""
    insert into rate_budgets as b (account, tokens, filled_at)
    values (%(account)s, 0, clock_timestamp())
    on conflict (account) do update set (tokens, filled_at, granted, blocked_until) = (
        select filled.tokens - given.tokens, filled.now, given.tokens, filled.ends
        from (
            select clock.now, least(%(burst)s, b.tokens + %(fill_per_s)s
                * greatest(0, extract(epoch from clock.now - b.filled_at)::float8)) as tokens,
                {_ENDS} as ends
            from (select clock_timestamp() as now) as clock) as filled,
        lateral (
            select case when filled.now < filled.ends then 0 else greatest(0, least(
                %(wanted)s, floor(filled.tokens - %(reserve)s)))::integer end as tokens) as given)
    returning granted, tokens, greatest(0, {_BLOCKED_S})"""  # noqa: S608  # our own

BLOCK: Final = f"""
    insert into rate_budgets as b (account, tokens, filled_at, blocked_until, refusals)
    values (%(account)s, 0, clock_timestamp(),
        clock_timestamp() + make_interval(secs => greatest(%(jitter)s * %(first)s, %(wish)s)), 1)
    on conflict (account) do update set (blocked_until, refusals) = (
        select greatest(was.ends, was.now + make_interval(secs => greatest(
            %(jitter)s * least(%(longest)s, %(first)s * 2.0 ^ (least(row.refusals, 30) - 1)),
            %(wish)s))), row.refusals
        from (
            select clock.now, {_ENDS} as ends
            from (select clock_timestamp() as now) as clock) as was,
        lateral (
            select case when was.now < was.ends then b.refusals
                when was.now < was.ends + make_interval(secs => %(quiet)s)
                then b.refusals + 1 else 1 end as refusals) as row)
    returning {_BLOCKED_S}"""  # noqa: S608  # our own


class PostgresRateBudgets:
    """A ``RateBudgetStore``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self, limit: RateLimit, what: RequestClass, wanted: int) -> Granted:
        """See ``RateBudgetStore.take``."""
        values = {
            "account": limit.account,
            "burst": limit.burst,
            "fill_per_s": limit.fill_per_s,
            "reserve": limit.reserve(what),
            "wanted": wanted,
            "most": LONGEST_WISH_S,
        }
        async with for_one_statement(self._pool) as connection:
            cursor = await connection.execute(TAKE, values)
            tokens, left, blocked_s = (await cursor.fetchall())[0]
        return Granted(tokens, left, blocked_s)

    async def block(self, limit: RateLimit, wish_s: float | None, jitter: float) -> float:
        """See ``RateBudgetStore.block``."""
        values = {
            "account": limit.account,
            "wish": min(wish_s or 0.0, LONGEST_WISH_S),
            "jitter": jitter,
            "first": FIRST_BLOCK_S,
            "longest": LONGEST_BLOCK_S,
            "quiet": QUIET_S,
            "most": LONGEST_WISH_S,
        }
        async with for_one_statement(self._pool) as connection:
            cursor = await connection.execute(BLOCK, values)
            return float((await cursor.fetchall())[0][0])
