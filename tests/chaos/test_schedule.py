"""A schedule depends on its seed only, has every kind and no forbidden overlap."""

from itertools import pairwise

import pytest

from tests.chaos.driving.faults import FAULTS
from tests.chaos.driving.schedule import Kind, Occurrence, draw
from tests.chaos.history import AnyEntry, FaultBegan, Published
from tests.chaos.judging.recovery import recoveries

KINDS = [kind for kind, _ in FAULTS]
MINUTE_S = 60.0


@pytest.mark.parametrize("seed", range(50))
def test_a_minute_has_every_kind(seed: int) -> None:
    """The faults are in order of time and end within the minute."""
    schedule = draw(KINDS, MINUTE_S, seed)
    assert {one.kind for one in schedule} == {kind.name for kind in KINDS}
    assert [one.at for one in schedule] == sorted(one.at for one in schedule)
    assert all(one.at >= 0 and one.until <= MINUTE_S + 0.01 for one in schedule)


def test_a_seed_determines_the_schedule() -> None:
    """The same seed gives the same schedule, another seed another one."""
    assert draw(KINDS, MINUTE_S, 5) == draw(KINDS, MINUTE_S, 5)
    assert draw(KINDS, MINUTE_S, 5) != draw(KINDS, MINUTE_S, 6)


def test_faults_on_one_target_do_not_overlap() -> None:
    """Nor do kinds with the same value of ``alone``, such as faults of brokers."""
    schedule = draw(KINDS, 600.0, 7)
    alone = {kind.name: kind.alone for kind in KINDS}
    for target in {one.target for one in schedule}:
        assert are_disjoint([one for one in schedule if one.target == target])
    for value in {value for value in alone.values() if value}:
        assert are_disjoint([one for one in schedule if alone[one.kind] == value])


def are_disjoint(several: list[Occurrence]) -> bool:
    """Whether each fault ends before the next begins."""
    return all(before.until <= after.at for before, after in pairwise(several))


def test_a_kind_that_does_not_fit_is_refused() -> None:
    """A run needs every kind of fault."""
    kinds = [Kind("long", ("a",), (1, 1), (9, 9)), Kind("too long", ("a",), (1, 1), (5, 5))]
    with pytest.raises(ValueError, match="no room for 'too long'"):
        draw(kinds, 10.0, 1)


def test_recovery_is_the_time_to_the_next_commit() -> None:
    """It is measured on the first partition and on the last one with a commit."""
    entries: list[AnyEntry] = [
        _commit(1.0, 0), _commit(1.0, 1),
        FaultBegan(at=2.0, number=1, kind="broker killed", target="kafka-1"),
        _commit(2.5, 0), _commit(5.0, 1), _commit(6.0, 0),
    ]  # fmt: skip
    found = recoveries(entries)["broker killed"]
    assert (found.first, found.whole) == ([0.5], [3.0])


def _commit(at: float, partition: int) -> Published:
    return Published(
        at=at, partition=partition, offset=0, payment_id="pay_a", version=1, status="CREATED"
    )
