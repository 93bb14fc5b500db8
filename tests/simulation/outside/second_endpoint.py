"""A second endpoint in the same account: it gets events in a form that the service does not read.

Each has the ID of the event that the first endpoint gets, which has its effect all the same.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from tests.simulation.faults import Chance
from tests.simulation.outside.provider import Happened

#: One seed out of this many has a second endpoint: those with this remainder. No seed that had
#: found a bug by then has it.
SECOND_IN: Final = 9
REMAINDER: Final = 7
SHARE: Final = 0.4
#: A copy comes up to so many seconds after the event, before or after the first endpoint's.
WITHIN_S: Final = 3.0
#: Events of payments, and of their parts: each has an object of ours, so none waits for ever.
_OF_PAYMENTS: Final = ("payment_intent.", "refund.", "charge.")
Json = dict[str, Any]


def _object_with(**changes: Any) -> Callable[[Json], Json]:
    def changed(event: Json) -> Json:
        about = event["data"]["object"]
        known = {name: value for name, value in changes.items() if name in about}
        return event | {"data": event["data"] | {"object": about | known}}

    return changed


#: What is wrong with a copy: its version is not read, or is none; its status is not known; what it
#: says can't be decoded.
DEFECTS: Final[Mapping[str, Callable[[Json], Json]]] = {
    "old version": lambda event: event | {"api_version": "2013-12-03"},
    "no version": lambda event: event | {"api_version": "someday"},
    "unknown status": _object_with(status="reimagined"),
    "amounts as texts": _object_with(amount="9", amount_received="9", amount_refunded="9"),
}


class SecondEndpoint:
    """The second endpoint of one seed. Its draws are its own, so that they change no other's."""

    def __init__(self, seed: int, chance: Chance) -> None:
        self._random = random.Random(f"second endpoint {seed}")  # noqa: S311  # seeded on purpose
        self._is_here = seed % SECOND_IN == REMAINDER
        self._chance = chance

    def copies(self, event: Happened) -> Iterator[tuple[Happened, float]]:
        """Yields what it gets of an event, and after how many seconds."""
        draws = self._random
        if not self._is_here or self._chance.is_healed or not event.kind.startswith(_OF_PAYMENTS):
            return
        if draws.random() > SHARE:
            return
        self._chance.met["unread_copy"] += 1
        defect = DEFECTS[draws.choice(tuple(DEFECTS))]
        # with spaces, which no other event has, so that it does not count as the one in the list
        body = json.dumps(defect(json.loads(event.body)))
        yield replace(event, body=body), draws.uniform(0.0, WITHIN_S)
