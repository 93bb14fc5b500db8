"""How many orders the steps of a search stand for. Exact, by adding up along the steps."""

from collections import Counter
from functools import cache

from tests.checker.search import Found
from tests.checker.space.node import Node
from tests.checker.space.script import CREATE

#: An input is delivered at least once, and at most so often.
DELIVERIES_MAX = 3


def orders(found: Found) -> Counter[int]:
    """Return, by how many inputs came, in how many orders they can have come.

    The create may come at any place. Facts before it wait and are taken in their order once it is
    here, so these orders run along the steps behind the create; where among its first facts the
    create stands is one choice more.
    """
    late: dict[Node, Counter[int]] = {}
    any_time: dict[Node, Counter[int]] = {}
    here = [node for node in found.steps if node.document]
    for node in reversed(here):  # found nearest first: where a step leads to is counted before
        steps = found.steps[node]
        late[node] = Counter() if steps else Counter({len(node.delivered): 1})
        for _, target in steps:
            late[node].update(late[target])
        any_time[node] = late[node].copy()
        for number, target in steps:
            if number in found.script.unprompted:
                any_time[node].update(any_time[target])
    begun = next(target for number, target in found.steps[Node()] if number == CREATE)
    return any_time[begun]


def with_repeats_and_crashes(found: Found) -> int:
    """Return in how many orders inputs can come one to three times, a crash after any of them."""
    again = DELIVERIES_MAX - 1
    return sum(
        count * _ways((inputs, *(0 for _ in range(again))))
        for inputs, count in orders(found).items()
    )


@cache
def _ways(left: tuple[int, ...]) -> int:
    """Count the ways on, where the order of first coming is given.

    ``left`` says how many inputs are to come for the first time, how many came once, twice and so
    on and may come again. Behind each delivery there is a crash, or there is none.
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
