"""The statements of the rate budgets do what the rules say, and many at once count every token."""

import asyncio
import random
import time
from math import inf
from typing import Any, Final

import pytest

from ports.rate_budget import Bucket, RateLimit, RequestClass, blocked, granted
from postgres.rate_budgets import PostgresRateBudgets
from postgres.stores import Pool
from tests.support import database

pytestmark = pytest.mark.anyio

LIMIT: Final = RateLimit("stripe/acct_1/live", 100.0)
ROW: Final = """select tokens, extract(epoch from filled_at)::float8,
    extract(epoch from blocked_until)::float8, refusals from rate_budgets where account = %s"""
NOW: Final = "select extract(epoch from clock_timestamp())::float8"
SET: Final = """
    insert into rate_budgets as b (account, tokens, filled_at, blocked_until, refusals)
    values (%s, %s, to_timestamp(%s), to_timestamp(%s), %s)
    on conflict (account) do update set tokens = excluded.tokens, filled_at = excluded.filled_at,
        blocked_until = excluded.blocked_until, refusals = excluded.refusals"""


async def _execute(pool: Pool, statement: str, *values: Any) -> None:
    async with pool.connection() as connection:
        await connection.execute(statement.encode(), values)


async def _bucket(pool: Pool) -> Bucket:
    (row,) = await database.rows(pool, ROW, LIMIT.account)
    return Bucket(*row)


async def _now(pool: Pool) -> float:
    return float((await database.rows(pool, NOW))[0][0])


def _any(rng: random.Random, now: float) -> Bucket:
    """A bucket, filled some time ago or by a clock ahead, blocked or not for some time yet.

    A longer block was written by a clock ahead, and one without an end by an operator.
    """
    return Bucket(
        rng.uniform(0, LIMIT.burst),
        now - rng.choice([0.0, rng.uniform(0, 0.1), rng.uniform(0, 100), -30.0]),
        now + rng.choice([-1_000.0, -1.0, 30.0, 3_600.0, inf]),
        rng.randrange(7),
    )


async def test_the_first_request_of_an_account_finds_an_empty_bucket(pool: Pool) -> None:
    """Nobody knows what was taken before Postgres forgot the row; it fills at once."""
    store = PostgresRateBudgets(pool)
    assert (await store.take(LIMIT, RequestClass.CALL, 5)).tokens == 0
    await asyncio.sleep(1.5 / LIMIT.fill_per_s)
    assert (await store.take(LIMIT, RequestClass.CALL, 1)).tokens == 1


async def test_taking_is_the_rules(pool: Pool) -> None:
    """On three hundred buckets: what is given, what is left, and until when it is blocked."""
    store, rng = PostgresRateBudgets(pool), random.Random(1)  # noqa: S311  # fixed on purpose
    given = 0
    for _ in range(300):
        before = _any(rng, await _now(pool))
        await _execute(
            pool, SET, LIMIT.account, before.tokens, before.filled_at, before.blocked_until,
            before.refusals,
        )  # fmt: skip
        what, wanted = rng.choice(list(RequestClass)), rng.randrange(1, 12)
        answer = await store.take(LIMIT, what, wanted)
        after = await _bucket(pool)
        expected, left = granted(before, LIMIT, what, wanted, after.filled_at)
        assert answer.tokens == expected.tokens
        assert answer.left == pytest.approx(left.tokens, abs=1e-3)
        assert (answer.blocked_s > 0) is (expected.blocked_s > 0)
        assert answer.blocked_s == pytest.approx(expected.blocked_s, abs=0.2)
        assert after.blocked_until == pytest.approx(left.blocked_until, abs=1e-3)
        given += answer.tokens
    assert given > 300


async def test_blocking_is_the_rules(pool: Pool) -> None:
    """On a hundred buckets: until when, and the how many-th refusal it is."""
    store, rng = PostgresRateBudgets(pool), random.Random(2)  # noqa: S311  # fixed on purpose
    seen = set[int]()
    for _ in range(100):
        now = await _now(pool)
        before = _any(rng, now)
        await _execute(
            pool, SET, LIMIT.account, before.tokens, before.filled_at, before.blocked_until,
            before.refusals,
        )  # fmt: skip
        wish_s, jitter = rng.choice([None, 0.0, 5.0, 1e5]), rng.uniform(0.5, 1.0)
        for_s = await store.block(LIMIT, wish_s, jitter)
        expected, after = blocked(before, wish_s, jitter, now), await _bucket(pool)
        assert after.refusals == expected.refusals
        assert after.blocked_until == pytest.approx(expected.blocked_until, abs=0.2)
        assert for_s == pytest.approx(min(expected.blocked_until - now, 60.0), abs=0.2)
        seen.add(after.refusals)
    assert len(seen) > 4


async def test_an_account_can_be_blocked_before_it_has_a_row(pool: Pool) -> None:
    """Its first refusal may come after Postgres forgot the row."""
    store = PostgresRateBudgets(pool)
    assert await store.block(LIMIT, None, 1.0) == pytest.approx(0.5, abs=0.2)
    answer = await store.take(LIMIT, RequestClass.CALL, 1)
    assert answer.tokens == 0
    assert answer.blocked_s > 0
    other = await store.take(RateLimit("stripe/acct_1/test", 100.0), RequestClass.CALL, 1)
    assert other.blocked_s == 0


async def test_many_at_once_get_no_token_twice(pool: Pool) -> None:
    """Each reads the row that the one before left."""
    store = PostgresRateBudgets(pool)
    await store.take(LIMIT, RequestClass.CALL, 1)
    await _execute(pool, "update rate_budgets set tokens = 10")
    began, taken = time.monotonic(), 0
    for _ in range(40):
        answers = await asyncio.gather(*(store.take(LIMIT, RequestClass.CALL, 3) for _ in range(8)))
        taken += sum(answer.tokens for answer in answers)
    elapsed_s = time.monotonic() - began
    assert taken <= 10 + LIMIT.fill_per_s * (elapsed_s + 0.05)
    assert taken >= LIMIT.fill_per_s * elapsed_s - LIMIT.burst
