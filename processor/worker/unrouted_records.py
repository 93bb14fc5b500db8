"""Converts between records of ``provider-webhooks-unrouted`` and webhooks to route, or notices."""

from collections.abc import Mapping
from typing import Final

from aiokafka import ConsumerRecord

from ports.errors import UndecodableRecordError
from ports.notices import NoticeTranslator
from ports.records import ConsumedRecord, DeadLetter, RecordOffset, Unreadable
from ports.texts import utc_time
from ports.work_items import IgnoredWebhook, KeptNotice, UnroutedWebhook
from processor.worker.metrics import WorkerMetrics
from schemas import headers
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED

#: The kind of a notice of an account that is not known yet.
UNKNOWN: Final = "notice"


def as_notice(
    webhook: UnroutedWebhook,
    translators: Mapping[str, NoticeTranslator],
    metrics: WorkerMetrics,
) -> KeptNotice | IgnoredWebhook:
    """Returns a notice that is to be followed, or as ignored. Raises MalformedWebhookError.

    One of an account that is not known yet is kept unread: its content says what it is.
    """
    at = utc_time(webhook.headers[headers.RECEIVED_AT])
    translator = translators.get(webhook.provider)
    if translator is None:
        return KeptNotice(webhook.event_id, webhook.provider, UNKNOWN, None, at)
    notice = translator.notice(webhook.value)
    if notice.is_foreign:
        metrics.foreign.labels(webhook.provider).inc()
    if notice.why is not None:
        return IgnoredWebhook(webhook, notice.kind, notice.why)
    return KeptNotice(webhook.event_id, webhook.provider, notice.kind, notice.context, at)


def as_dead_letter(unrouted: UnroutedWebhook, error: str) -> DeadLetter:
    """Returns a webhook that waited as a dead letter with this reason."""
    position = RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, -1, -1)  # its own offset was not stored
    record = ConsumedRecord(
        position=position,
        key=unrouted.object_id.encode(),
        value=unrouted.value,
        headers=unrouted.headers,
        timestamp_ms=0,
    )
    return DeadLetter(record, error)


def as_record(record: ConsumerRecord[bytes, bytes]) -> ConsumedRecord:
    """Returns what a Kafka client read, with headers as text."""
    return ConsumedRecord(
        position=RecordOffset(record.topic, record.partition, record.offset),
        key=record.key,
        value=b""
        if record.value is None
        else record.value,  # an empty Unreadable must stay Unreadable
        headers=headers.as_text(record.headers),
        timestamp_ms=record.timestamp,
    )


def as_unrouted(record: ConsumedRecord) -> UnroutedWebhook:
    """Returns the record as a webhook to route. Raises UndecodableRecordError with the reason."""
    if isinstance(record.value, Unreadable):
        raise UndecodableRecordError(record.value.why)
    named = record.headers
    for name in (headers.EVENT_ID, headers.PROVIDER, headers.RECEIVED_AT):
        if not named.get(name):
            raise UndecodableRecordError(f"header {name} is missing or empty")
    for name in (headers.EVENT_ID, headers.PROVIDER, headers.OBJECT_ID):
        if len(named.get(name, "")) > headers.ID_CHARS_MAX:
            raise UndecodableRecordError(f"header {name} is too long")
    utc_time(named[headers.RECEIVED_AT])
    return UnroutedWebhook(
        event_id=named[headers.EVENT_ID],
        provider=named[headers.PROVIDER],
        object_id=named.get(headers.OBJECT_ID, ""),
        headers=named,
        value=record.value,
        payment_id=None,
    )
