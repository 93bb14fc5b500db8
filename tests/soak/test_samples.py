"""Growth is detected. Warm-up does not count as growth."""

import pytest

from tests.soak.samples import LIMITS, compare


@pytest.mark.parametrize("name", LIMITS)
def test_continuous_growth_is_detected(name: str) -> None:
    """It exceeds its limit between the second quarter and the last."""
    (row,) = compare([{name: 100.0 * step} for step in range(1, 41)])
    assert (row.name, row.has_grown) == (name, True)


@pytest.mark.parametrize("name", LIMITS)
def test_early_growth_is_warm_up(name: str) -> None:
    """Growth in the first quarter only is not reported."""
    (row,) = compare([{name: min(step, 10) * 100.0} for step in range(1, 41)])
    assert (row.before, row.after, row.has_grown) == (1_000.0, 1_000.0, False)


def test_each_program_is_compared_separately() -> None:
    """One program's growth is not hidden by the others."""
    steps = range(1, 41)
    rows = compare([{"work: file handles": 9.0, "stream: file handles": 9.0 * s} for s in steps])
    assert [row.has_grown for row in rows] == [False, True]
