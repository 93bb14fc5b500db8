"""Copies of events with a wrong binding: another account's endpoint or name, or the other mode.

Each would cancel the payment that it names, if it were of the payment's account. The sender has the
secret of the endpoint at which it arrives, but no other.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from ports.work_items import UnroutedWebhook
from sandbox.stripe_simulator.storage.types import JsonObject
from tests.simulation.faults import Chance
from tests.simulation.outside.owners import Owner
from tests.simulation.outside.provider import Happened

SHARE: Final = 0.4
#: A copy comes up to so many seconds after the event, before or after the true one.
WITHIN_S: Final = 3.0
#: The IDs of copies that come at the account's own endpoint: its secret's holder is the account.
OF_NOBODY: Final = "evt_wrong_binding_"
#: Marks copies: a payment refuses one as another object's, and no payment of that account has it.
_MARK: Final = "of a wrong binding"
_CHANGED: Final = {
    "status": "canceled", "amount_capturable": 0, "amount_received": 0, "description": _MARK,
}  # fmt: skip


def waits_for_nothing(webhook: UnroutedWebhook) -> bool:
    """Whether a webhook is a copy about an object that its account does not have."""
    return _MARK.encode() in webhook.value


class WrongBindings:
    """The wrong bindings of one seed. Its draws are its own, so that they change no other's."""

    def __init__(self, seed: int, owners: Sequence[Owner], chance: Chance) -> None:
        self._random = random.Random(f"wrong bindings {seed}")  # noqa: S311  # seeded on purpose
        self._owners = owners
        self._chance = chance
        self._number = 0

    def copies(self, event: Happened) -> Iterator[tuple[Happened, float]]:
        """Yields a copy of an event with a wrong binding, and after how many seconds it comes."""
        draws = self._random
        is_one = len(self._owners) == 1 or self._chance.is_healed
        if is_one or not event.kind.startswith("payment_intent.") or draws.random() > SHARE:
            return
        self._chance.met["wrong_binding"] += 1
        body = json.loads(event.body)
        about = body["data"]["object"] | _CHANGED
        body |= {"data": {"object": about}}
        others = [each for each in self._owners if each is not event.owner]
        other = draws.choice((*others, None))
        copy = self._of_nobody(event, body) if other is None else _of(other, event, body)
        yield copy, draws.uniform(0.0, WITHIN_S)

    def _of_nobody(self, event: Happened, body: JsonObject) -> Happened:
        """At the account's own endpoint: of the other mode, or of an account that is not ours."""
        self._number += 1
        event_id = f"{OF_NOBODY}{self._number}"
        wrong: dict[str, Any] = {"livemode": not body["livemode"]}
        at = event.owner
        if self._random.random() < 0.5:  # one of two
            wrong = {"account": "acct_of_nobody"}
            at = next(each for each in self._owners if each.name == event.owner.endpoint)
        return replace(
            event, event_id=event_id, body=_text(body | wrong | {"id": event_id}), owner=at
        )


def _of(other: Owner, event: Happened, body: JsonObject) -> Happened:
    """As another account's own event, with the ID of the true one."""
    named = {"account": other.connected} if other.is_connected else {}
    bare = {name: value for name, value in body.items() if name not in {"account", "user_id"}}
    return replace(
        event, body=_text(bare | named | {"livemode": other.account.is_live}), owner=other
    )


def _text(body: JsonObject) -> str:
    """With spaces, which no true event has, so that it does not count as the one in the list."""
    return json.dumps(body)
