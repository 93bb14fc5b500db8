"""When an object is looked at next."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest

from ports.work_items import Look, PlannedLook
from processor.worker.sweeps import schedule
from tests.domain.histories.situations import SITUATIONS, replay_until
from tests.support.builders import NOW

FIRST: Final = timedelta(minutes=2)


def planned(
    unchanged: int = 0, found: str | None = None, situation: str = "authorized"
) -> PlannedLook:
    """A look at the object of a payment that does not change."""
    payment = replay_until(situation).payment
    assert payment is not None
    return PlannedLook(
        payment_id=payment.id,
        object_id="obj_1",
        version=payment.version,
        payment=payment,
        found=found,
        unchanged=unchanged,
    )


def looks(until: datetime) -> list[datetime]:
    """When an object that never changes is looked at, from now on."""
    at, unchanged, found = [NOW], 0, list[Look]()
    while at[-1] < until:
        look = schedule.taken(planned(unchanged), None, FIRST, at[-1])
        unchanged = look.unchanged
        found.append(look)
        at.append(look.next_at)
    return at[:-1]


def test_an_authorization_that_is_unchanged_for_a_week_costs_at_most_twenty_looks() -> None:
    """The looks become rarer, and the last ones come once a day."""
    at = looks(NOW + timedelta(days=7))
    assert len(at) <= 20
    waits = [later - earlier for earlier, later in pairwise(at)]
    assert waits[:3] == [2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(days=1)


def test_a_look_comes_at_least_once_a_day_however_long_nothing_changed() -> None:
    """Also after years, and where a payment is called silent only after many days."""
    ages = schedule.taken(planned(10**9), None, FIRST, NOW)
    assert ages.next_at == NOW + timedelta(days=1)
    late = schedule.taken(planned(3), None, timedelta(days=36_500), NOW)
    assert late.next_at == NOW + timedelta(days=1)


def test_after_news_the_looks_begin_again() -> None:
    """What was published is remembered; without news, what was published before."""
    look = schedule.taken(planned(7, "obj_1.a"), "obj_1.b", FIRST, NOW)
    assert (look.unchanged, look.found, look.next_at) == (0, "obj_1.b", NOW + FIRST)
    look = schedule.taken(planned(7, "obj_1.a"), None, FIRST, NOW)
    assert (look.unchanged, look.found) == (8, "obj_1.a")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_final_payment_is_not_looked_at(situation: str) -> None:
    """A payment whose document can't be decoded is, because it may be unfinished."""
    look = planned(situation=situation)
    assert look.payment is not None
    is_final = look.payment.status in {"SUCCEEDED", "FAILED", "CANCELED"}
    assert schedule.is_over(look) is is_final
