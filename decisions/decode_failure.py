"""A record that can't be decoded now, and may be later.

One that our own code failed on quarantines its payment, if it names one. One whose account is not
in this program's file of accounts yet waits until it is.

Only what every record has is read here, without any adapter: the key, and the event ID in a header
or a field. After the fix and a release, the stored record is decoded again under that ID.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.inputs import Input, Unmodelled
from ports.records import UNREAD, ConsumedRecord, DeadLetter, DecodedInput, unread_of
from schemas import headers
from schemas.identity import is_payment_id
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_WEBHOOKS


def unforeseen(record: ConsumedRecord, error: str) -> DecodedInput | DeadLetter:
    """Returns what becomes of a record on which our own code failed.

    With a payment's key and an event ID, the record is kept and its payment is quarantined. Without
    them it is a dead letter.
    """
    payment_id = (record.key or b"").decode("utf-8", "replace")
    fields = _fields(record)
    event_id = _text(fields, "event_id")
    if not is_payment_id(payment_id) or event_id is None:
        # without the error's text, which may repeat a part of the record
        return DeadLetter(record, f"our own code failed: {error.partition(':')[0]}")
    return DecodedInput(
        record=record,
        payment_id=payment_id,
        event_id=event_id,
        kind=UNREAD,
        input=Input(event_id, _came_at(record), Unmodelled(event_id, UNREAD, error)),
        provider=_text(fields, "provider"),
        tenant=_text(fields, "tenant"),
        operation_id=_text(fields, "operation_id"),
        failure=error,
    )


def of_unknown_account(
    record: ConsumedRecord, payment_id: str, event_id: str, account: str, received_at: datetime
) -> DecodedInput:
    """Returns a webhook of an account that this program does not know, as one that waits."""
    kind = unread_of(account)
    return DecodedInput(
        record=record,
        payment_id=payment_id,
        event_id=event_id,
        kind=kind,
        input=Input(event_id, received_at, Unmodelled(event_id, kind, "its account is unknown")),
        provider=account,
        of_unknown_account=True,
    )


def _fields(record: ConsumedRecord) -> dict[str, Any]:
    if record.position.topic == PROVIDER_WEBHOOKS:
        named = record.headers
        return {
            "event_id": named.get(headers.EVENT_ID),
            "provider": named.get(headers.PROVIDER),
        }
    try:
        fields = msgspec.json.decode(record.value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    if record.position.topic != PAYMENT_COMMANDS:
        fields.pop("tenant", None)
        fields.pop("operation_id", None)
    return fields


def _text(fields: dict[str, Any], name: str) -> str | None:
    """Returns the field if it can be an ID."""
    text = fields.get(name)
    if not isinstance(text, str) or not text or len(text) > headers.ID_CHARS_MAX or "\0" in text:
        return None
    return text


def _came_at(record: ConsumedRecord) -> datetime:
    """Returns the brokers' timestamp, or the epoch if it is no date."""
    try:
        return datetime.fromtimestamp(max(record.timestamp_ms, 0) / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)
