"""The worker's items: claimed calls, and webhooks whose payment is not known yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.call_key import key_of_generation
from domain.calls import ProviderCall
from domain.payment import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCall:
    """A provider call that this worker may make until its lease ends."""

    call: ProviderCall
    #: Identifies this claim, together with the call's key: each claim counts one attempt.
    attempts: int
    generation: int
    key_first_used_at: datetime
    created_at: datetime
    #: The request that every try sends; None before the first one.
    sent: bytes | None = None

    @property
    def key(self) -> str:
        """The idempotency key for the provider."""
        return key_of_generation(self.call.key, self.generation)


@dataclass(frozen=True, slots=True)
class LookUpShare:
    """How many of the calls that are claimed may be looked up instead of made."""

    most: int
    #: A key that was first used then, or earlier, may be forgotten: its call is looked up.
    forgotten_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnroutedWebhook:
    """A webhook without a payment ID, or with another's; ``payment_id`` once its own is known."""

    #: ``id_at`` of a record that can't be read, so that a readable one of the event waits too.
    event_id: str
    provider: str
    object_id: str
    headers: Mapping[str, str]
    value: bytes
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class DuePayment:
    """A payment whose time to act is over."""

    payment_id: str
    tenant: str
    version: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IgnoredWebhook:
    """A webhook that belongs to no payment and can have no effect on one, with the reason."""

    webhook: UnroutedWebhook
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """A notice that has to be followed."""

    event_id: str
    provider: str
    kind: str
    #: In whose name its content is fetched, in the provider's words; None: the account's own.
    context: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that is to be followed now."""

    event_id: str
    context: str | None
    #: How often its content could not be had.
    attempts: int


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a notice, with the reason."""

    event_id: str
    reason: str
    #: The account and the object of whose payment a look is wished for, if any.
    provider: str = ""
    object_id: str | None = None
    #: From when on the account's event list is read again, if it is.
    since: datetime | None = None
    is_given_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLook:
    """A look at the provider's object of a payment, which is due."""

    payment_id: str
    object_id: str
    #: The payment's version.
    version: int
    #: The payment; None if what is stored can't be decoded.
    payment: Payment | None
    #: Event ID of what was found and published the last time.
    found: str | None
    #: How many looks in a row found nothing new.
    unchanged: int
    #: When it was wished for: then it is taken in any case, and of the payment's parts too.
    wished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A look that was taken, and the time of the next one."""

    payment_id: str
    version: int
    found: str | None
    unchanged: int
    next_at: datetime
    #: As it was planned. A wish that came meanwhile is left open.
    wished_at: datetime | None = None
    #: The provider could not be asked: what was wished for still is.
    is_missed: bool = False


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A webhook that waits for its account to be known."""

    payment_id: str
    headers: Mapping[str, str]
    value: bytes
