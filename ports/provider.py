"""The port every provider stands behind. What crosses it is in the domain's words.

A provider verifies a webhook, translates one into a fact, makes a call, and fetches what was never
delivered. ``providers.registry`` wires the ones there are.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.calls import ProviderCall
from domain.inputs import Fact


class ProviderError(Exception):
    """Base of what a provider's adapter raises."""


class SignatureError(ProviderError):
    """The webhook is not signed with any of our secrets, is too old, or was altered."""


class MalformedWebhookError(ProviderError):
    """The bytes are no event of this provider, though the signature may be right."""


class ProviderUnavailableError(ProviderError):
    """The provider could not be asked: network, time-out, rate limit or its own failure."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook whose signature held: enough to key its record, nothing more is read."""

    #: Unique among the events of all providers, since they are all known by it alone.
    event_id: str
    #: The provider's object the event is about; for a refund or dispute, the payment object.
    object_id: str | None
    #: Ours, where the event carries it.
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class Translated:
    """The fact in a webhook, and the provider's own name for that kind of event, for people."""

    kind: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class FetchedEvent:
    """An event pulled from the provider, as a webhook would have brought it."""

    webhook: Webhook
    body: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The provider has the operation; webhooks report what came of it."""

    object_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider definitely did not and will not do it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have happened: try again with the same key, or look it up."""

    reason: str
    retry_after_s: float | None = None
    #: The provider would give the same answer to this key again: only a look-up can tell.
    repeats: bool = False
    #: The provider was asked and answered, but what it said proves nothing.
    is_available: bool = False


@dataclass(frozen=True, slots=True)
class NotNow:
    """It did not happen and could later: try again under the next key."""

    reason: str


CallOutcome = Acknowledged | Refused | Unknown | NotNow


@dataclass(frozen=True, slots=True)
class Account:
    """The one account of ours at a provider, in one mode. An event of any other is ``Foreign``."""

    #: The provider's name for it.
    name: str
    #: Whether its money is real.
    is_live: bool

    def refuses(self, name: str | None, *, is_live: bool) -> str | None:
        """Why an event of this account and mode is not ours, if it is not.

        ``name`` is None where the provider names no account: then it is the one that was asked.
        """
        if name is not None and name != self.name:
            return f"it is of account {name}, ours is {self.name}"
        if is_live is not self.is_live:
            modes = {True: "live", False: "test"}
            return f"it is of {modes[is_live]} mode, we are in {modes[self.is_live]} mode"
        return None


class Translator(Protocol):
    """What the stream and the router need of a provider. Pure, and without any secret."""

    name: str

    def translate(self, body: bytes) -> Translated:
        """The fact in a verified body. Raises MalformedWebhookError when it is no event.

        An event of another account or mode than ours is ``Foreign``, whatever else it says.
        """
        ...


class WebhookReader(Protocol):
    """What the ingress needs of a provider. Pure: no I/O."""

    name: str

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """The webhook, if one of our secrets signed exactly these bytes not too long ago.

        ``headers`` have lower-case names. Raises SignatureError or MalformedWebhookError.
        """
        ...


class ProviderClient(Protocol):
    """What the provider calls and the reconciler need of a provider. Every method is I/O."""

    name: str

    async def call(self, call: ProviderCall, key: str) -> CallOutcome:
        """Makes the call under this idempotency key. Never raises for what a provider can do."""
        ...

    async def look_up(self, call: ProviderCall, first_tried_at: datetime) -> CallOutcome | None:
        """The outcome of a call whose key the provider may have forgotten.

        An object is only the call's if the provider ascribes it to the call's key. What anybody
        with access can write on an object, such as our own IDs, is no proof: then it is unknown.
        Returns None if it certainly never happened. Raises ProviderUnavailableError.
        """
        ...

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """The object's present state, as an event. Raises ProviderUnavailableError."""
        ...

    def events_after(self, cursor: str | None) -> AsyncIterator[Sequence[FetchedEvent]]:
        """Pages of events after the cursor (an event ID), oldest first, to the newest.

        Raises ProviderUnavailableError.
        """
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
