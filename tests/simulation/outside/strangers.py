"""Payments of other applications in the same account: their events come to our endpoint too.

Ours never have such amounts, currencies and forms. None of these events is about a payment of ours,
so each has to end as ignored, at once or when nobody can be waited for any longer.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from stripe import api_version

#: One seed out of this many has strangers: those with this remainder. Other seeds stay as they are,
#: and so does what they once found.
SHARED_IN: Final = 7
REMAINDER: Final = 5
#: How many of their events come with each client.
MOST: Final = 4
_PREFIX: Final = "evt_stranger_of_"
_ODD: Final = {"amount": 55, "amount_received": 55, "currency": "isk"}
_PAID: Final = {
    "object": "payment_intent", "status": "succeeded", "amount": 900, "amount_received": 900,
    "currency": "usd", "metadata": {"order": "A-1"},
}  # fmt: skip
_REFUND: Final = {"object": "refund", "status": "succeeded", "amount": 200, "currency": "usd"}
_CHARGE: Final = {"object": "charge", "amount_refunded": 200, "currency": "usd"}
_DISPUTE: Final = {
    "object": "dispute", "status": "needs_response", "amount": 900, "currency": "usd",
    "balance_transactions": [],
}  # fmt: skip
_OLD: Final = "2020-08-27"
_NOT_READ: Final = "2013-12-03"

#: Each kind: the event's type, its object, and its API version.
STRANGERS: Final[Mapping[str, tuple[str, dict[str, Any], str]]] = {
    "payment": ("payment_intent.succeeded", _PAID, api_version),
    "payment in fractions": ("payment_intent.succeeded", _PAID | _ODD, api_version),
    "payment in coins": ("payment_intent.succeeded", _PAID | {"currency": "usdc"}, api_version),
    "payment of an unknown status": ("payment_intent.created", _PAID | {"status": "new"}, _OLD),
    "payment of an unread version": ("payment_intent.succeeded", _PAID, _NOT_READ),
    "charge": ("charge.succeeded", _CHARGE, api_version),
    "refund": ("refund.created", _REFUND, api_version),
    "refund in fractions": ("refund.created", _REFUND | _ODD, api_version),
    "refund with a text as its amount": ("refund.updated", _REFUND | {"amount": "9"}, api_version),
    "refund of an unread version": ("charge.refund.updated", _REFUND, _NOT_READ),
    "total of refunds": ("charge.refunded", _CHARGE, _OLD),
    "total of refunds as a text": ("charge.refunded", _CHARGE | {"amount_refunded": "9"}, _OLD),
    "dispute": ("charge.dispute.created", _DISPUTE, api_version),
    "dispute in coins": ("charge.dispute.created", _DISPUTE | {"currency": "usdc"}, api_version),
}


def is_theirs(event_id: str) -> bool:
    """Whether an event is a stranger's."""
    return event_id.startswith(_PREFIX)


def waits_in_vain(event_id: str) -> bool:
    """Whether an event is about an object that no payment will ever have."""
    return event_id.startswith("evt_stranger_")


class Strangers:
    """What strangers do in one seed. Its draws are its own, so that they change no other's."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"strangers {seed}")  # noqa: S311  # seeded on purpose
        self._is_shared = seed % SHARED_IN == REMAINDER
        self._seed = seed
        self._number = 0

    def events(self) -> list[tuple[str, str, bytes]]:
        """Returns kind, event ID and body of what happens as the next client arrives."""
        if not self._is_shared:
            return []
        names = self._random.sample(tuple(STRANGERS), self._random.randint(1, MOST))
        return [(name, *self._event(name)) for name in names]

    def _event(self, name: str) -> tuple[str, bytes]:
        self._number += 1
        kind, about, version = STRANGERS[name]
        event_id = f"{_PREFIX}{self._seed}_{self._number}"
        object_id = f"pi_stranger_of_{self._seed}_{self._number}"
        ids = {"id": object_id}
        if about["object"] != "payment_intent":
            ids = {"id": f"obj_{object_id}", "payment_intent": object_id}
        event = {
            "id": event_id,
            "object": "event",
            "type": kind,
            "created": 1_767_225_600,
            "livemode": False,
            "api_version": version,
            "request": {"id": None, "idempotency_key": self._random.choice((None, "order-7"))},
            "data": {"object": about | ids},
        }
        return event_id, msgspec.json.encode(event)


#: Another account, the other mode, or an object in our account that belongs to no payment.
_THIRD_PARTIES: Final[tuple[dict[str, Any], ...]] = (
    {"account": "acct_other"},
    {"livemode": True},
    {},
)


def third_partys_event(payment_id: str, amount: int) -> tuple[str, bytes]:
    """An event that matches a payment that does not exist yet, except for the owner."""
    event_id = f"evt_stranger_{payment_id}"
    intent = {
        "id": f"pi_stranger_{payment_id}",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": amount,
        "currency": "eur",
        "amount_received": amount,
        "metadata": {"payment_id": payment_id},
    }
    event = {
        "id": event_id,
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_767_225_600,
        "livemode": False,
        "data": {"object": intent},
        **_THIRD_PARTIES[ord(payment_id[-1]) % len(_THIRD_PARTIES)],
    }
    return event_id, msgspec.json.encode(event)
