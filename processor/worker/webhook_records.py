"""Converts a provider's event to a record of ``provider-webhooks``."""

from collections.abc import Mapping
from datetime import datetime

from ports.errors import EventTooLargeError
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent
from processor.worker.shortened import shortened
from runtime.logs import get_logger
from schemas import headers
from schemas.identity import is_payment_id
from schemas.topics import BODY_BYTES_MAX, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED

log = get_logger(__name__)


def fetched(event: FetchedEvent, provider: str, now: datetime) -> ProducerRecord:
    """Returns a record for the payment that the event names, or for the router if it names none.

    Raises EventTooLargeError.
    """
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
    return ProducerRecord(PROVIDER_WEBHOOKS_UNROUTED, key, _checked(event.body), _as_bytes(named))


def routed(payment_id: str, body: bytes, named: Mapping[str, str]) -> ProducerRecord:
    """Returns a record for the webhook's payment. Raises EventTooLargeError."""
    return ProducerRecord(PROVIDER_WEBHOOKS, payment_id.encode(), _checked(body), _as_bytes(named))


def _checked(body: bytes) -> bytes:
    """Returns the body, shortened if needed. One that is too large would make the send fail."""
    if len(body) <= BODY_BYTES_MAX:
        return body
    short = shortened(body)
    log.warning("event.shortened", bytes=len(body), to_bytes=len(short))
    if len(short) > BODY_BYTES_MAX:
        raise EventTooLargeError(f"the event has {len(body)} bytes, a topic takes {BODY_BYTES_MAX}")
    return short


def _as_bytes(named: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in named.items() if value]
