"""Fetches the content of Stripe's thin events that tell of an event that was never made.

Each names the type of that one event and its object, and when the failure was over. It names no
payment intent unless that is the object.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from ports.errors import UndecodableRecordError
from ports.notices import Gap, NoGap
from ports.provider import Account, ProviderUnavailableError
from ports.texts import utc_time, without_content
from providers.stripe.notices.reading import NEVER_MADE, PathId, account_in, foreign
from providers.stripe.shapes import Name
from providers.stripe.translate import LISTED_TYPES
from providers.stripe.webhooks import name_or_none, scoped

#: The version that has these events in the form below: they are in public preview.
VERSION: Final = "2025-11-17.preview"
#: Where an object is that is no payment intent and belongs to one, by its type.
PATHS: Final[Mapping[str, str]] = {
    "charge": "/v1/charges",
    "dispute": "/v1/disputes",
    "radar.early_fraud_warning": "/v1/radar/early_fraud_warnings",
    "refund": "/v1/refunds",
}
INTENT: Final = "payment_intent"


class RelatedObject(msgspec.Struct):
    """The object of the event that was not made."""

    id: PathId
    type: Name


class Impact(msgspec.Struct):
    """Which event was not made."""

    event_type: str
    related_object: RelatedObject | None = None
    #: The connected account of the event; None: the account itself.
    context: str | None = None


class Data(msgspec.Struct):
    """What the failure was, and when."""

    impact: Impact
    #: Other alerts of this family have it too; of times none is trusted.
    started_at: Any = None
    resolved_at: Any = None


class Content(msgspec.Struct):
    """A thin event with its data."""

    type: str
    data: Data
    livemode: Any = None
    created: Any = None


class Api(Protocol):
    """As much of ``StripeApi`` as is used."""

    async def read(self, path: str, **params: Any) -> Mapping[str, Any]:
        """Returns an object. Raises ProviderUnavailableError."""
        ...


class StripeGaps:
    """A ``GapFinder``, through the account's client.

    ``connected`` are the accounts that are reached through this one: their names here, by what
    Stripe calls them.
    """

    def __init__(self, api: Api, account: Account, name: str, connected: Mapping[str, str]) -> None:
        self.name = name
        self._api = api
        self._account = account
        self._connected = connected

    async def gap(self, event_id: str, context: str | None) -> Gap | NoGap:
        """See ``GapFinder.gap``."""
        own = event_id.removeprefix(scoped(self.name, ""))
        options = {} if context is None else {"stripe_context": context}
        fetched = await self._api.read(f"/v2/core/events/{own}", stripe_version=VERSION, **options)
        try:
            content = msgspec.convert(fetched, Content)
        except msgspec.ValidationError as error:
            why = f"the content of {own} can't be read: {without_content(error)}"
            raise ProviderUnavailableError(why) from error
        return self._gap(content, content.data.impact.context or context)

    def _gap(self, content: Content, context: str | None) -> Gap | NoGap:
        impact = content.data.impact
        why = foreign(self._account, self._connected, content.livemode, context)
        if why is not None:
            return NoGap(why, is_foreign=True)
        if content.type != NEVER_MADE:
            return NoGap(f"its content is of another kind, {content.type}")
        if impact.event_type not in LISTED_TYPES:
            return NoGap(f"an event of type {impact.event_type} has no effect on a payment")
        about = impact.related_object
        if about is None or about.type not in {INTENT, *PATHS}:
            return NoGap("it names no object that belongs to a payment")
        return Gap(
            provider=self._connected.get(account_in(context) or "", self.name),
            kind=about.type,
            object_id=about.id,
            since=_since(content),
        )

    async def payment_object(self, gap: Gap) -> str | None:
        """See ``GapFinder.payment_object``."""
        if gap.kind == INTENT:
            return gap.object_id
        about = await self._api.read(f"{PATHS[gap.kind]}/{gap.object_id}")
        return name_or_none(about.get(INTENT))


def _since(content: Content) -> datetime | None:
    """Returns when the failure began, as far as the content says it."""
    said = (content.data.started_at, content.data.resolved_at, content.created)
    return min((at for each in said if (at := _time(each)) is not None), default=None)


def _time(said: Any) -> datetime | None:
    try:
        return utc_time(said)
    except (UndecodableRecordError, TypeError, AttributeError):
        return None
