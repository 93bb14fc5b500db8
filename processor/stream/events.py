"""Faust's events as consumed records."""

from collections.abc import Mapping
from typing import Any

from faust.types import EventT

from ports.records import ConsumedRecord, RecordOffset
from schemas.headers import as_text

Event = EventT[Any]


def minimal_record(event: Event) -> ConsumedRecord:
    """Returns the event's record without headers and timestamp, which our code failed to read."""
    message = event.message
    position = RecordOffset(message.topic, message.partition, message.offset)
    value = b"" if message.value is None else message.value
    return ConsumedRecord(
        position=position, key=message.key, value=value, headers={}, timestamp_ms=-1
    )


def as_record(event: Event) -> ConsumedRecord:
    """Returns a Faust event as a consumed record."""
    message = event.message
    return ConsumedRecord(
        position=RecordOffset(message.topic, message.partition, message.offset),
        key=message.key,
        # `or b""` would turn an empty Unreadable into plain bytes
        value=b"" if message.value is None else message.value,
        headers=as_text(
            message.headers.items()
            if isinstance(message.headers, Mapping)
            else message.headers or ()
        ),
        timestamp_ms=int((message.timestamp or 0) * 1000),
    )
