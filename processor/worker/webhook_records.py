"""Converts a provider's event to a record of ``provider-webhooks``."""

from collections.abc import Mapping
from datetime import datetime

from structlog.contextvars import bound_contextvars

from ports.errors import EventTooLargeError
from ports.failures import name_defect
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from processor.worker.shortened import shortened
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR
from schemas import headers
from schemas.identity import is_payment_id
from schemas.topics import BODY_BYTES_MAX, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED

log = get_logger(__name__)


def fetched(
    event: FetchedEvent, provider: str, now: datetime, payment_id: str | None = None
) -> ProducerRecord:
    """Returns a record for this payment, or else for the one that the event names.

    If there is neither, it is one for the router. Raises EventTooLargeError.
    """
    webhook, named = event.webhook, _named(event, provider, now)
    owner = payment_id or webhook.payment_id
    if owner is not None and is_payment_id(owner):
        return routed(owner, event.body, named)
    key = (webhook.object_id or webhook.event_id).encode()
    return ProducerRecord(PROVIDER_WEBHOOKS_UNROUTED, key, _checked(event.body), _as_bytes(named))


def fetched_or_dead(
    event: FetchedEvent, provider: str, now: datetime, payment_id: str | None = None
) -> ProducerRecord | DeadLetter:
    """Returns the same; a dead letter if it is too large for a topic, or our own code fails."""
    with bound_contextvars(event_id=event.webhook.event_id):
        try:
            return fetched(event, provider, now, payment_id)
        except ANY_ERROR as error:
            log.exception("event.conversion_failed", provider=provider)
            named = {name: value for name, value in _named(event, provider, now).items() if value}
            position = RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, -1, -1)  # it was never in a topic
            record = ConsumedRecord(
                position=position, key=None, value=event.body, headers=named, timestamp_ms=-1
            )
            return DeadLetter(record, name_defect(error))


def _named(event: FetchedEvent, provider: str, now: datetime) -> Mapping[str, str]:
    """Returns the headers of an event's record, as texts. An empty one is to be left out."""
    return {
        headers.EVENT_ID: event.webhook.event_id,
        headers.PROVIDER: provider,
        headers.RECEIVED_AT: now.isoformat(),
        headers.OBJECT_ID: event.webhook.object_id or "",
    }


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
