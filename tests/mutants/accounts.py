"""Bugs of several accounts: what is bound to none, and what is asked of another one."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from pydantic import SecretStr

from decisions.decode import Decoder
from ports.provider import FetchedEvent
from ports.records import ConsumedRecord, DeadLetter, DecodedInput
from providers.stripe.client import StripeApi
from schemas.settings import StripeSettings
from tests.simulation.outside.owners import STRIPE


def _with_default_key(settings: StripeSettings) -> StripeSettings:
    return settings.model_copy(update={"stripe_api_key": SecretStr(STRIPE.api_key)})


class BindsNothing(Decoder):
    """An event is of no account, so it changes the payment that it names."""

    def decode(self, record: ConsumedRecord) -> DecodedInput | DeadLetter:
        """The input without its account."""
        found = super().decode(record)
        return found if isinstance(found, DeadLetter) else replace(found, provider=None)


class CallsWithTheDefaultKey(StripeApi):
    """Every account is asked with the key of the settings' account."""

    def __init__(self, settings: StripeSettings, *parts: Any, connected: Any, **named: Any) -> None:
        del connected
        super().__init__(_with_default_key(settings), *parts, **named)


class ReadsTheDefaultList(StripeApi):
    """The event list of every account is that of the settings' account."""

    def __init__(self, settings: StripeSettings, *parts: Any, connected: Any, **named: Any) -> None:
        super().__init__(settings, *parts, connected=connected, **named)
        self._default = StripeApi(_with_default_key(settings), *parts, **named)

    def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """The other account's events."""
        return self._default.events_after(cursor, since)
