"""The webhook endpoints that get an account's events: its own, and those of its platforms.

A platform has two kinds of endpoint: for its own events, and for those of its connected accounts,
which name a Connect application.
Source: https://docs.stripe.com/connect/webhooks
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.stripe_simulator.storage.store import Store, decode
from sandbox.stripe_simulator.storage.types import JsonObject

_ALL: Final = "select body from objects where kind = 'webhook_endpoint' order by seq"


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint, and whether it is a platform's, whose events name the account."""

    endpoint: JsonObject
    is_platforms: bool

    @property
    def is_enabled(self) -> bool:
        """Whether it gets events."""
        return bool(self.endpoint["status"] == "enabled")

    @property
    def secrets(self) -> list[str]:
        """The secrets that sign its webhooks."""
        return [self.endpoint["secret"], *self.endpoint.get("rolled_secrets", ())]


class Endpoints:
    """The endpoints of one account's events.

    Args:
        store: the account's own objects.
        platforms: the objects of the platforms that it is connected to.
    """

    def __init__(self, store: Store, platforms: Sequence[Store] = ()) -> None:
        self._store = store
        self._platforms = platforms

    def enabled(self) -> list[JsonObject]:
        """Every endpoint that gets the account's events."""
        return [each.endpoint for each in self._all() if each.is_enabled]

    def find(self, endpoint_id: str) -> Receiver | None:
        """An endpoint by its ID, if it is one of these."""
        return next((each for each in self._all() if each.endpoint["id"] == endpoint_id), None)

    def _all(self) -> Iterator[Receiver]:
        for store in (self._store, *self._platforms):
            is_platforms = store is not self._store
            for (body,) in store.rows(_ALL):
                endpoint = decode(body)
                if (endpoint["application"] is not None) is is_platforms:
                    yield Receiver(endpoint, is_platforms)
