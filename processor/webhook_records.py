"""An event of a provider as a record of ``provider-webhooks``, whoever found it."""

from collections.abc import Mapping
from datetime import datetime

from processor.sender import Outgoing
from providers.port import FetchedEvent
from schemas import headers
from schemas.identity import is_payment_id
from schemas.topics import PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED


def fetched(event: FetchedEvent, provider: str, now: datetime) -> Outgoing:
    """A fetched event, keyed by its payment where it names one, for the router otherwise."""
    webhook = event.webhook
    named = {
        headers.EVENT_ID: webhook.event_id,
        headers.PROVIDER: provider,
        headers.RECEIVED_AT: now.isoformat(),
        headers.OBJECT_ID: webhook.object_id or "",
    }
    if webhook.payment_id is not None and is_payment_id(webhook.payment_id):
        return routed(webhook.payment_id, event.body, named)
    key = (webhook.object_id or webhook.event_id).encode()
    return Outgoing(PROVIDER_WEBHOOKS_UNROUTED, key, event.body, _as_bytes(named))


def routed(payment_id: str, body: bytes, named: Mapping[str, str]) -> Outgoing:
    """A webhook whose payment is known."""
    return Outgoing(PROVIDER_WEBHOOKS, payment_id.encode(), body, _as_bytes(named))


def _as_bytes(named: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in named.items() if value]
