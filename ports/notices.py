"""Notices: what a provider reports of its own events, not of a payment.

A notice has no content: who gets one fetches it. The one kind that counts is about a gap, an event
that the provider never made. Nothing delivers or lists that event, so its object is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ports.provider import Webhook


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it came."""

    #: The provider's own name for the kind of notice.
    kind: str
    #: In whose name it is fetched, in the provider's words; None: the endpoint's account's.
    context: str | None = None
    #: Why nothing has to be done, if so.
    why: str | None = None
    #: It is of another account or mode than ours.
    is_foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An event that the provider never made."""

    #: The name of the account whose object it is about.
    provider: str
    #: What kind of object that is, in the provider's words, and its ID.
    kind: str
    object_id: str
    #: From when on the provider had difficulties: what it listed late since then is read again.
    since: datetime | None


@dataclass(frozen=True, slots=True)
class NoGap:
    """The content of a notice after which nothing has to be done."""

    why: str
    is_foreign: bool = False


class NoticeReader(Protocol):
    """What the ingress needs of an account with an endpoint for notices. Pure: no I/O.

    It is a ``WebhookReader`` with secrets of its own: what they sign can't move a payment.
    """

    name: str
    provider: str

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """See ``WebhookReader.verify``. The webhook names no object and no payment."""
        ...

    def without_secrets(self, body: bytes) -> bytes:
        """See ``WebhookReader.without_secrets``."""
        ...


class NoticeTranslator(Protocol):
    """What the router needs of an account. Pure, and without any secret."""

    name: str

    def notice(self, body: bytes) -> Notice:
        """The notice in a verified body. Raises MalformedWebhookError when it is none."""
        ...


class GapFinder(Protocol):
    """What the sweep over notices asks a provider for, in the name of one account."""

    name: str

    async def gap(self, event_id: str, context: str | None) -> Gap | NoGap:
        """Fetches the content of a notice. Raises ProviderUnavailableError.

        Args:
            event_id: of the notice, as the ingress knows it.
            context: of the notice.
        """
        ...

    async def payment_object(self, gap: Gap) -> str | None:
        """The payment object to which an object of this account belongs; None: to none.

        Raises ProviderUnavailableError.
        """
        ...
