"""The number of orders is exact: it equals the number of enumerated orders."""

from collections.abc import Iterator
from itertools import permutations, product

import pytest

from domain.status import ProviderStatus, Status
from tests.checker.orders import DELIVERIES_MAX, orders, with_repeats_and_crashes
from tests.checker.search import search
from tests.domain.histories.builders import acknowledged, cancel, create, key, payment_fact
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning

_PENDING = Reported(payment_fact(ProviderStatus.PENDING, 2, caused_by=key("create")))
_OPEN = Reported(payment_fact(ProviderStatus.OPEN, 1, caused_by=key("create")))
_CREATE_RESULT = Reported(acknowledged(), needs="create")


def _history(*story: Reported, end: Status) -> History:
    return History("counted", create(), story, Meaning(end))


@pytest.mark.parametrize(
    ("history", "inputs", "count"),
    [
        (_history(end=Status.CREATED), 1, 1),
        (_history(_PENDING, end=Status.PROCESSING), 2, 2),
        (_history(_PENDING, _OPEN, end=Status.PROCESSING), 3, 6),
        (_history(_CREATE_RESULT, end=Status.PROCESSING), 2, 1),
        (_history(_CREATE_RESULT, _PENDING, end=Status.PROCESSING), 3, 3),
    ],
)
def test_the_create_comes_anywhere_and_what_it_causes_after_it(
    history: History, inputs: int, count: int
) -> None:
    """Facts come in every order, with the create at every place; its result comes after it."""
    assert orders(search(history)) == {inputs: count}


def test_a_command_comes_anywhere_once_it_can_be_accepted() -> None:
    """A cancel comes at any place after the create."""
    story = (_PENDING, cancel())
    history = History("counted", create(), story, Meaning(Status.PROCESSING))
    assert orders(search(history)) == {3: 3}


def _enumerated(inputs: int) -> Iterator[tuple[int, ...]]:
    """Yield every sequence of deliveries in which each input comes one to three times."""
    for times in product(range(1, DELIVERIES_MAX + 1), repeat=inputs):
        deliveries = [n for n, count in enumerate(times) for _ in range(count)]
        yield from set(permutations(deliveries))


@pytest.mark.parametrize("facts", [(), (_PENDING,), (_PENDING, _OPEN)])
def test_repeats_and_crashes_are_counted_as_if_enumerated(facts: tuple[Reported, ...]) -> None:
    """Any order of one to three deliveries of each, with or without a crash after each."""
    history = _history(*facts, end=Status.PROCESSING if facts else Status.CREATED)
    expected = sum(2 ** len(row) for row in _enumerated(len(facts) + 1))
    assert with_repeats_and_crashes(search(history)) == expected
