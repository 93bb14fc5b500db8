"""Counts the orders that a search covers, exactly, by adding up along its steps."""

from collections import Counter
from functools import cache

from tests.checker.search import Found
from tests.checker.space.node import Node
from tests.checker.space.script import CREATE

#: An input is delivered at least once, and at most this often.
DELIVERIES_MAX = 3


def orders(found: Found) -> Counter[int]:
    """Return the number of orders, by the number of inputs.

    The create may come at any place. Facts before it are parked and applied in their order once it
    is here, so these orders follow the steps after the create. The create's place among its first
    facts is one choice more.
    """
    after_create: dict[Node, Counter[int]] = {}
    any_time: dict[Node, Counter[int]] = {}
    existing = [node for node in found.steps if node.document]
    for node in reversed(existing):  # found nearest first, so a step's target is counted first
        steps = found.steps[node]
        after_create[node] = Counter() if steps else Counter({len(node.delivered): 1})
        for _, target in steps:
            after_create[node].update(after_create[target])
        any_time[node] = after_create[node].copy()
        for number, target in steps:
            if number in found.script.independent:
                any_time[node].update(any_time[target])
    after_first = next(target for number, target in found.steps[Node()] if number == CREATE)
    return any_time[after_first]


def with_repeats_and_crashes(found: Found) -> int:
    """Return the number of orders with one to three deliveries each and a crash after any."""
    again = DELIVERIES_MAX - 1
    return sum(
        count * _ways((inputs, *(0 for _ in range(again))))
        for inputs, count in orders(found).items()
    )


@cache
def _ways(left: tuple[int, ...]) -> int:
    """Count the continuations, for a given order of first deliveries.

    ``left`` has the number of inputs not delivered yet, then of those delivered once, twice and so
    on that may come again. After each delivery there is a crash or none.
    """
    to_come, *came = left
    ways = 0 if to_come else 1
    if to_come:
        ways += 2 * _ways((to_come - 1, came[0] + 1, *came[1:]))
    for times, count in enumerate(came):
        if count:
            moved = list(came)
            moved[times] -= 1
            if times + 1 < len(came):
                moved[times + 1] += 1
            ways += 2 * count * _ways((to_come, *moved))
    return ways
