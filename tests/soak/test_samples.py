"""Growth is detected, and warming up is not growth."""

import pytest

from tests.soak.samples import LIMITS, compare


@pytest.mark.parametrize("name", LIMITS)
def test_what_goes_on_growing_has_grown(name: str) -> None:
    """It grows by more than its limit between the second quarter and the last."""
    (row,) = compare([{name: 100.0 * step} for step in range(1, 41)])
    assert (row.name, row.has_grown) == (name, True)


@pytest.mark.parametrize("name", LIMITS)
def test_what_grows_at_first_and_stays_has_not(name: str) -> None:
    """Growth in the first quarter is warm-up."""
    (row,) = compare([{name: min(step, 10) * 100.0} for step in range(1, 41)])
    assert (row.before, row.after, row.has_grown) == (1_000.0, 1_000.0, False)


def test_each_program_is_looked_at_by_itself() -> None:
    """One program's growth is not hidden by the others."""
    steps = range(1, 41)
    rows = compare([{"work: file handles": 9.0, "stream: file handles": 9.0 * s} for s in steps])
    assert [row.has_grown for row in rows] == [False, True]
