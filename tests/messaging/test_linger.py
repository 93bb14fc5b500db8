"""Many records wait for each other, to be compressed together; few don't."""

import pytest

from messaging.linger import MANY_PER_S, MEASURED_OVER_S, WANTED, Linger


def wait_at(per_s: float, partitions: int = 4) -> float | None:
    """Returns the wait in milliseconds at this rate."""
    linger = Linger(5, 20, partitions)
    found = None
    for number in range(int(3 * MEASURED_OVER_S * per_s) + 2):
        found = linger.note(1000.0 + number / per_s) or found
    return None if found is None else round(found * 1000, 1)


@pytest.mark.parametrize("per_s", [1, 100, MANY_PER_S * 0.9])
def test_where_few_come_nobody_waits_longer(per_s: float) -> None:
    """Their bytes matter less than their time."""
    assert wait_at(per_s) == 5.0


@pytest.mark.parametrize("per_s", [2_500.0, 5_000.0])
def test_where_many_come_a_batch_gathers_some(per_s: float) -> None:
    """As long as it takes until each partition has as many as are wanted."""
    assert wait_at(per_s) == pytest.approx(WANTED * 4 / per_s * 1000, rel=0.02)


def test_nobody_waits_longer_than_the_longest_wait() -> None:
    """However many partitions there are."""
    assert wait_at(MANY_PER_S * 1.1) == 20.0
    assert wait_at(2_500, partitions=64) == 20.0


def test_the_more_come_the_shorter_is_the_wait() -> None:
    """A batch fills by itself then."""
    assert wait_at(50_000) == 5.0


def test_the_wait_follows_the_rate() -> None:
    """A burst that is over delays nothing that comes after it."""
    linger = Linger(5, 20, 4)
    found = [linger.note(1000.0 + number / 2_000) for number in range(2_000)]
    assert found[-500:].count(None) < 500
    assert [each for each in found if each][-1] == 0.02
    assert linger.note(1010.0) == 0.005
