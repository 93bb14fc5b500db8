"""The port every provider stands behind. What crosses it is in the domain's words.

A provider verifies a webhook, translates one into a fact, makes a call, and fetches what was never
delivered. ``providers.registry`` wires the ones there are.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, Protocol

from domain.call_key import CallKey
from domain.calls import ProviderCall
from domain.inputs import Fact
from schemas.identity import is_payment_id


class ProviderError(Exception):
    """Base of what a provider's adapter raises."""


class SignatureError(ProviderError):
    """The webhook is not signed with any of our secrets, is too old, or was altered."""


class MalformedWebhookError(ProviderError):
    """The bytes are no event of this provider, though the signature may be right."""


class MalformedObjectError(MalformedWebhookError):
    """It is an event of this provider, but what it says about its object can't be decoded.

    Args:
        why: what can't be decoded.
        kind: the provider's own name for the kind of event.
        is_payment: the event is about a payment object itself.
    """

    def __init__(self, why: str, kind: str, *, is_payment: bool) -> None:
        super().__init__(why)
        self.kind = kind
        self.is_payment = is_payment


class ProviderUnavailableError(ProviderError):
    """The provider gave no answer: network, time-out, rate limit or its own failure.

    Or it gave another one than what was asked for, of which some have classes of their own.
    """


class MissingError(ProviderUnavailableError):
    """The provider has no object of this ID. That is an answer, and no failure."""


class NotPermittedError(ProviderUnavailableError):
    """Our API key may not read this: an operator has to give it the right."""


class RateLimitedError(ProviderUnavailableError):
    """No request may be made now, by our rate budget or by the provider's word.

    Args:
        why: what it is that limits.
        retry_after_s: seconds after which a request may be made.
    """

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook whose signature held: enough to key its record, nothing more is read."""

    #: Unique among the events of all providers, since they are all known by it alone.
    event_id: str
    #: The provider's object the event is about; for a refund or dispute, the payment object.
    object_id: str | None
    #: Ours, where the event names one; see ``named_payment``.
    payment_id: str | None
    #: What the provider calls the account of the event, where the event says it.
    account: str | None = None
    #: The provider account that it is about, where that is another one than the endpoint's.
    provider: str | None = None


def named_payment(caused_by: str | None, written: str | None) -> str | None:
    """Returns the payment ID that an event names.

    The key of the call that caused it proves more than what stands on the object, which anybody
    with access to the provider can write.

    Args:
        caused_by: the idempotency key of that call, where the provider names it.
        written: what stands on the object where we write our payment ID.
    """
    cause = CallKey.parse(caused_by)
    return cause.payment_id if cause is not None and is_payment_id(cause.payment_id) else written


def unreadable(body: bytes, event_id: str | None = None) -> Webhook:
    """A signed or fetched body that is no event as we know them: it is kept, and names nothing.

    It is known by the event ID under which it was listed, or else by its digest.
    """
    return Webhook(event_id or f"unreadable.{sha256(body).hexdigest()[:32]}", None, None)


@dataclass(frozen=True, slots=True)
class Translated:
    """The fact in a webhook, and the provider's own name for that kind of event, for people."""

    kind: str
    fact: Fact
    #: The event is about a payment object itself, also where its form or status is not known. One
    #: of ours has our payment ID from its creation on.
    is_payment: bool


@dataclass(frozen=True, slots=True)
class FetchedEvent:
    """An event pulled from the provider, as a webhook would have brought it, without secrets."""

    webhook: Webhook
    body: bytes
    #: When it happened, by the provider's clock; None if that can't be read.
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PartPage:
    """A page of a list of parts, each as an event."""

    parts: Sequence[FetchedEvent]
    #: After what the list goes on, in the provider's words; None: this is its last page.
    after: str | None


@dataclass(frozen=True, slots=True)
class ListCursor:
    """An event of a provider's list up to which everything is published."""

    event_id: str
    #: When it happened. None: an earlier release stored it, and did not know.
    at: datetime | None


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
    #: From then on another look-up proves something, so it is not waited for longer.
    provable_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotNow:
    """It did not happen and could later: try again under the next key."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """The provider was not asked, for others' sake: what was unknown still is.

    Try again with the same key.
    """

    reason: str
    retry_after_s: float | None = None


CallOutcome = Acknowledged | Refused | Unknown | NotNow | NotSent


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


@dataclass(frozen=True, slots=True)
class MoneyRefusal:
    """A rule of the provider that a payment's amount or currency breaks."""

    field: Literal["amount", "currency"]
    #: What to send instead, in a sentence for people.
    rule: str


class MoneyRules(Protocol):
    """Which amounts a provider can collect. The ingress asks before it accepts a payment. Pure."""

    name: str

    def refuses(self, amount: int, currency: str) -> MoneyRefusal | None:
        """Returns why a payment of this amount is impossible at the provider; None where it is not.

        ``amount`` is in minor units by ISO 4217. ``currency`` has the form of a code, and may be
        none.
        """
        ...


class Translator(Protocol):
    """What the stream and the router need of a provider. Pure, and without any secret."""

    name: str

    def translate(self, body: bytes) -> Translated:
        """The fact in a verified body. Raises MalformedWebhookError when it is no event.

        Of these, MalformedObjectError says that the event as such can be read.
        An event of another account or mode than ours is ``Foreign``, whatever else it says.
        """
        ...


class WebhookReader(Protocol):
    """What the ingress needs of an account at a provider. Pure: no I/O."""

    #: The account's name here. The environment's account has its provider's name.
    name: str
    #: The provider's name.
    provider: str

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """The webhook, if one of our secrets signed exactly these bytes not too long ago.

        ``headers`` have lower-case names. Raises SignatureError or MalformedWebhookError.
        """
        ...

    def without_secrets(self, body: bytes) -> bytes:
        """The body as it may be kept: without any secret of a customer's, otherwise unchanged."""
        ...


class ClientSecretReader(Protocol):
    """What the ingress asks a provider for. It is all that the ingress asks."""

    name: str

    async def client_secret(self, object_id: str) -> str | None:
        """The secret with which the provider's SDK goes on, for a customer of this object.

        Returns None if the provider has no such secret. Raises ProviderUnavailableError, also if
        there is no answer within the reader's own deadline. The secret must not be kept.
        """
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...


class ProviderClient(Protocol):
    """What the provider calls and the reconciler need of a provider. Every method is I/O."""

    name: str

    def prepare(self, call: ProviderCall) -> bytes | Refused:
        """The request of a call, to be kept before it is first sent. It has no secret.

        A provider compares what comes under one key, so a later release must send the same, even
        if it would build another request. Refused if the provider can't do it.
        """
        ...

    async def call(self, call: ProviderCall, key: str, request: bytes | None = None) -> CallOutcome:
        """Makes the call under this idempotency key. Never raises for what a provider can do.

        ``request`` is what ``prepare`` returned before the first try; None: it is made now.
        """
        ...

    async def look_up(
        self,
        call: ProviderCall,
        first_tried_at: datetime,
        last_tried_at: datetime | None = None,
    ) -> CallOutcome | None:
        """The outcome of a call whose key the provider may have forgotten.

        It was tried at no other time than from ``first_tried_at`` to ``last_tried_at``, by our
        clock; None: nobody knows when the last try was. A look-up makes a bounded number of
        requests. If there is more to read it is unknown, and the next one goes on there, as long
        as ``last_tried_at`` is the same.

        An object is only the call's if the provider ascribes it to the call's key. What anybody
        with access can write on an object, such as our own IDs, is no proof: then it is unknown.
        Returns None if it certainly never happened. Raises ProviderUnavailableError.
        """
        ...

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """The object's present state, as an event.

        Raises ProviderUnavailableError, of which MissingError says that there is none of this ID.
        """
        ...

    def parts_of(self, object_id: str) -> AsyncIterator[Sequence[FetchedEvent]]:
        """Pages of the present state of a payment object's parts, each as an event.

        A part is what belongs to a payment and is an object of its own at the provider: a refund,
        a dispute, a fraud warning. The event's ID is made of the part's content, so an unchanged
        part gives the same event. Its time is not after the state was read, so that a webhook of
        what changed afterwards is later. It names no call and proves nothing. No page is empty.

        Raises ProviderUnavailableError, of which NotPermittedError comes after all parts that our
        API key may read.
        """
        ...

    @property
    def part_kinds(self) -> Sequence[str]:
        """The kinds of parts: each has a list, and the API key a right for each list."""
        ...

    def parts_since(
        self, kind: str, at: datetime, after: str | None = None
    ) -> AsyncIterator[PartPage]:
        """The same of every part of a kind that the account has and that was made since ``at``.

        It has the parts of payments that are not ours, too, as webhooks have. With ``after`` of an
        earlier page of the same list it goes on there; if the provider refuses that, the list
        begins again. What was made meanwhile may lack. No page is empty.

        Raises ProviderUnavailableError, of which NotPermittedError says that our API key may not
        read this list.
        """
        ...

    def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """Pages of events after the cursor (an event ID), oldest first, to the newest.

        Of all kinds of events that may have an effect on a payment. The list is sorted by time, and
        may be late: an event can appear in it between others that were there before.

        Without a cursor, or if the provider refuses it, they begin with the first event of
        ``since``; without that too, with the first one that is listed. Pages are empty while that
        one is searched for.

        Raises ProviderUnavailableError.
        """
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
