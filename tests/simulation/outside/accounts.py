"""All accounts of a seed: a request's key and header say which one it is for, as at Stripe."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from sandbox.stripe_simulator.errors import AuthenticationError, PermissionDeniedError
from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.outside.owners import STRIPE, Owner, owners_of
from tests.simulation.outside.provider import ApiResponse, Happened, Provider
from tests.simulation.trace import Trace

#: Called with a request of one account's client that went to another one, and the payment.
Astray = Callable[[str, str], None]


class Accounts:
    """The accounts. They have one clock, and each has a world of its own."""

    def __init__(
        self,
        seed: int,
        chance: Chance,
        trace: Trace,
        deliver: Callable[[Happened], None],
        astray: Astray,
    ) -> None:
        self.clock: Final = SkewedClock()
        self.owners: Final = owners_of(seed)
        self._astray = astray
        self._by_name = {
            owner.name: Provider(seed, chance, trace, deliver, self.clock, owner)
            for owner in self.owners
        }

    @property
    def default(self) -> Provider:
        """The account of the settings."""
        return self._by_name[STRIPE.name]

    def __iter__(self) -> Iterator[Provider]:
        """Every account."""
        return iter(self._by_name.values())

    def of(self, number: int) -> Provider:
        """The account of the client with this number."""
        return self._by_name[self.owners[number % len(self.owners)].name]

    async def exchange(
        self, owner: Owner, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> ApiResponse:
        """Executes a request of an account's client. Raises stripe.APIConnectionError."""
        key = headers.get("Authorization", "").removeprefix("Bearer ")
        asked = headers.get("Stripe-Account")
        holder = next((o for o in self.owners if o.api_key == key and not o.is_connected), None)
        if holder is None:
            return self.default.refusal(AuthenticationError("Invalid API Key provided."))
        found = holder
        if asked not in {None, holder.account.name}:
            known = (o for o in self.owners if o.endpoint == holder.name)
            named = next((o for o in known if o.account.name == asked), None)
            if named is None:
                error = PermissionDeniedError("No access.", code="account_invalid")
                return self.default.refusal(error)
            found = named
        if found is not owner:
            payment_id = headers.get("Idempotency-Key", "").partition(":")[0]
            self._astray(
                payment_id, f"{method} {urlsplit(url).path} of {owner.name} went to {found.name}"
            )
        return await self._by_name[found.name].exchange(method, url, headers, body)
