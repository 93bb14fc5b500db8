"""Reads Stripe's thin events as they arrive: who they are, and whether one has to be fetched.

A thin event has an ID, a type and no data. Published at
docs.stripe.com/api/v2/core/events/object; those whose content is fetched at
docs.stripe.com/webhooks/handle-irrecoverable-events.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from ports.notices import Notice
from ports.provider import Account, MalformedWebhookError, Webhook
from ports.texts import decoded, without_content
from providers.stripe.shapes import Name
from providers.stripe.webhooks import DECODE_ERRORS, StripeWebhooks, name_or_none

#: Stripe failed to make an event, for good. The only kind that is about a payment's event.
NEVER_MADE: Final = "v2.core.health.event_generation_failure.resolved"
#: What the ``object`` of a thin event is.
THIN: Final = "v2.core.event"
#: An ID that is part of a path when something is fetched by it.
PathId = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_]{1,255}\Z")]


class ThinEvent(msgspec.Struct):
    """What is read of a thin event. What decides nothing is of any type, so none is refused."""

    id: PathId
    type: Name
    object: Any = None
    livemode: Any = None
    context: Any = None


_THIN: Final = msgspec.json.Decoder(ThinEvent)


class StripeNotices(StripeWebhooks):
    """A ``NoticeReader``: the same signature and the same tolerance, with secrets of its own."""

    def _webhook(self, body: bytes) -> Webhook:
        """Returns a webhook that names no object and no payment, as no notice does."""
        return Webhook(_decoded(body).id, None, None)


class StripeNoticeTranslator:
    """A ``NoticeTranslator`` of one account, and of the connected accounts behind it."""

    def __init__(self, account: Account, name: str, connected: Mapping[str, str]) -> None:
        self.name = name
        self._account = account
        self._connected = connected

    def notice(self, body: bytes) -> Notice:
        """See ``NoticeTranslator.notice``.

        The mode and the account count where it says them: its content says them too.
        """
        event = _decoded(body)
        if event.object != THIN:
            return Notice(event.type, why="it has a payload, and came to the endpoint of notices")
        context = name_or_none(event.context)
        if event.context and context is None:
            return Notice(event.type, why="its context is no account's", is_foreign=True)
        why = foreign(self._account, self._connected, event.livemode, context)
        if why is not None:
            return Notice(event.type, context, why, is_foreign=True)
        if event.type != NEVER_MADE:
            return Notice(event.type, context, "a notice of this kind says nothing of a payment")
        return Notice(event.type, context)


def foreign(
    account: Account, connected: Mapping[str, str], livemode: Any, context: str | None
) -> str | None:
    """Returns why a notice is of another mode, or of no account of ours, if so."""
    is_live = livemode if isinstance(livemode, bool) else account.is_live
    named = account_in(context)
    return account.refuses(None if named in connected else named, is_live=is_live)


def account_in(context: str | None) -> str | None:
    """Returns the account that a context names: the last part of its path."""
    return context.rpartition("/")[2] if context else None


def _decoded(body: bytes) -> ThinEvent:
    """Raises MalformedWebhookError."""
    try:
        return decoded(_THIN.decode, body)
    except DECODE_ERRORS as error:
        raise MalformedWebhookError(f"not an event of Stripe: {without_content(error)}") from error
