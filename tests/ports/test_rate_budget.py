"""The rules of a rate budget: steady, calls first, nobody during a block."""

from math import inf
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ports.rate_budget import (
    CHUNK_S,
    FIRST_BLOCK_S,
    LONGEST_BLOCK_S,
    LONGEST_WISH_S,
    QUIET_S,
    Bucket,
    Granted,
    RateLimit,
    RequestClass,
    blocked,
    granted,
    wait_s,
)

CALL, LOOK_UP, SWEEP = RequestClass
NOW: Final = 1_000.0
LIMIT: Final = RateLimit("stripe/acct_1/live", 100.0)
FULL: Final = Bucket(LIMIT.burst, NOW, 0.0)


def left(tokens: float) -> Bucket:
    """A bucket with so many tokens."""
    return Bucket(tokens, NOW, 0.0)


@given(st.floats(5.0, 1_000_000.0))
def test_no_second_has_more_requests_than_the_provider_takes(per_s: float) -> None:
    """A full bucket, what flows in, and tokens that were taken just before the second began."""
    limit = RateLimit("any", per_s)
    assert limit.burst + limit.fill_per_s * (1 + CHUNK_S) <= per_s + 1e-6
    assert limit.fill_per_s >= per_s / 2
    assert 1 <= limit.chunk <= limit.burst


@given(st.lists(st.tuples(st.sampled_from(RequestClass), st.integers(1, 50), st.floats(0, 0.5))))
def test_what_is_taken_never_exceeds_the_rate(asked: list[tuple[RequestClass, int, float]]) -> None:
    """Whatever is asked for and when: a full bucket, and what flowed in since."""
    bucket, now, taken = FULL, NOW, 0
    for what, wanted, pause_s in asked:
        now += pause_s
        answer, bucket = granted(bucket, LIMIT, what, wanted, now)
        taken += answer.tokens
        assert 0 <= answer.tokens <= wanted
        assert answer.left == bucket.tokens <= LIMIT.burst
    assert taken <= LIMIT.burst + LIMIT.fill_per_s * (now - NOW) + 1e-6


@pytest.mark.parametrize(
    ("what", "takes", "leaves"), [(CALL, 10, 0.0), (LOOK_UP, 7, 3.0), (SWEEP, 5, 5.0)]
)
def test_each_class_leaves_its_reserve(what: RequestClass, takes: int, leaves: float) -> None:
    """Calls may take everything; sweeps leave half, look-ups a quarter."""
    answer, after = granted(FULL, LIMIT, what, 100, NOW)
    assert (answer.tokens, after.tokens) == (takes, leaves)


@given(st.floats(5.0, 1_000.0))
def test_sweeps_get_nothing_while_calls_take_what_flows_in(per_s: float) -> None:
    """Calls that want more than the rate leave nothing but what was in the bucket."""
    limit = RateLimit("any", per_s)
    bucket, now = Bucket(limit.burst, NOW, 0.0), NOW
    got = dict.fromkeys(RequestClass, 0)
    for _ in range(200):
        for what in (SWEEP, LOOK_UP, CALL):
            answer, bucket = granted(bucket, limit, what, 100, now)
            got[what] += answer.tokens
        now += 0.025  # the least time between two statements of one process
    assert got[CALL] >= limit.fill_per_s * 199 * 0.025 - 1
    assert got[SWEEP] + got[LOOK_UP] <= limit.burst


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    """What is in the bucket can be taken, and it goes on filling from then on."""
    answer, after = granted(left(3.0), LIMIT, CALL, 5, NOW - 60)
    assert (answer.tokens, after.tokens) == (3, 0.0)
    assert granted(after, LIMIT, CALL, 5, NOW - 60)[0].tokens == 0
    assert granted(after, LIMIT, CALL, 5, NOW - 60 + 0.06)[0].tokens == 4


def test_a_block_of_before_the_clock_was_set_back_is_not_longer_than_any_other() -> None:
    """Otherwise nobody could ask for an hour, if the clock had been an hour ahead."""
    ahead = Bucket(LIMIT.burst, NOW + 3600, NOW + 3600 + FIRST_BLOCK_S, 1)
    answer, after = granted(ahead, LIMIT, CALL, 1, NOW)
    assert (answer.tokens, answer.blocked_s) == (0, LONGEST_WISH_S)
    assert granted(after, LIMIT, CALL, 1, NOW + LONGEST_WISH_S)[0].tokens == 1
    assert blocked(ahead, None, 1.0, NOW).blocked_until == NOW + LONGEST_WISH_S


def test_a_block_without_an_end_is_an_operators_and_stays() -> None:
    """Who asks may ask again after a minute: it may have ended by then."""
    stopped = Bucket(LIMIT.burst, NOW, inf)
    answer, after = granted(stopped, LIMIT, CALL, 1, NOW)
    assert (answer.tokens, answer.blocked_s) == (0, LONGEST_WISH_S)
    assert granted(after, LIMIT, CALL, 1, NOW + 86_400)[0].tokens == 0
    assert blocked(after, None, 1.0, NOW).blocked_until == inf


@given(st.sampled_from(RequestClass), st.floats(0.0, 10.0))
def test_after_the_wait_there_is_a_token(what: RequestClass, tokens: float) -> None:
    """And not before it."""
    answer, after = granted(left(tokens), LIMIT, what, 1, NOW)
    if not answer.tokens:
        wait = wait_s(answer, LIMIT, what)
        assert granted(after, LIMIT, what, 1, NOW + wait + 1e-6)[0].tokens == 1
        assert granted(after, LIMIT, what, 1, NOW + wait - 1e-6)[0].tokens == 0


def test_during_a_block_nobody_gets_anything() -> None:
    """A full bucket does not help. The wait is the block's."""
    bucket = blocked(FULL, None, 1.0, NOW)
    for what in RequestClass:
        answer, after = granted(bucket, LIMIT, what, 5, NOW + FIRST_BLOCK_S / 2)
        assert answer == Granted(0, LIMIT.burst, FIRST_BLOCK_S / 2)
        assert wait_s(answer, LIMIT, what) == FIRST_BLOCK_S / 2
        assert granted(after, LIMIT, what, 5, NOW + FIRST_BLOCK_S)[0].tokens == 5


def test_blocks_grow_while_refusals_go_on() -> None:
    """Each begins when the one before is over. They are bounded, and start over after a pause."""
    bucket, now, lengths = FULL, NOW, []
    for _ in range(7):
        bucket = blocked(bucket, None, 1.0, now)
        lengths.append(bucket.blocked_until - now)
        now = bucket.blocked_until
    assert lengths == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_BLOCK_S, LONGEST_BLOCK_S]
    after_a_pause = blocked(bucket, None, 1.0, now + QUIET_S)
    assert after_a_pause.blocked_until == now + QUIET_S + FIRST_BLOCK_S


def test_requests_that_were_under_way_make_no_block_grow() -> None:
    """Sixteen may be refused at once: that is one refusal."""
    bucket = FULL
    for number in range(16):
        bucket = blocked(bucket, None, 1.0, NOW + number * 0.01)
    assert bucket.refusals == 1
    assert bucket.blocked_until == NOW + 0.15 + FIRST_BLOCK_S


@pytest.mark.parametrize(("wish_s", "for_s"), [(0.0, 0.5), (7.0, 7.0), (86_400.0, LONGEST_WISH_S)])
def test_the_provider_may_want_a_longer_block(wish_s: float, for_s: float) -> None:
    """Up to a minute: a wrong header must not stop an account for a day."""
    assert blocked(FULL, wish_s, 1.0, NOW).blocked_until == NOW + for_s


def test_a_block_is_never_shortened() -> None:
    """The provider may name another time with each refusal."""
    bucket = blocked(FULL, 30.0, 1.0, NOW)
    assert blocked(bucket, 1.0, 0.5, NOW + 1).blocked_until == NOW + 30.0
