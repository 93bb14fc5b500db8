"""The changelog table of seen event IDs: the fast path in front of Postgres, never the authority.

Keyed by payment, with its recent event IDs and where they stood: one entry per payment and batch
to write, a bounded number of IDs in each, and the same partition as the payment's records by
construction. It is written only after the Postgres commit and the publishing, so it never says
"seen" of an effect that did not happen. What it has forgotten, Postgres still knows.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from faust.types import EventT

from processor.faust_internals import as_current
from processor.records import Position, Received
from schemas.topics import PROCESSOR_SOURCES

#: Event ID to (index of its topic in PROCESSOR_SOURCES, offset); the partition is the entry's.
Entry = dict[str, tuple[int, int]]
_ENTRY: Final = msgspec.msgpack.Decoder(Entry)
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_TOPIC_INDEX: Final = {topic: index for index, topic in enumerate(PROCESSOR_SOURCES)}


class SeenTable:
    """A Faust table from payment ID to its recent event IDs, oldest first."""

    def __init__(self, table: Any, per_payment: int) -> None:
        self._table = table
        self._per_payment = per_payment

    def position(self, event: EventT[Any], received: Received) -> Position | None:
        """Where this event ID was seen, if it was."""
        found = self._entry(event, received.payment_id).get(received.event_id)
        if found is None:
            return None
        topic, offset = found
        return Position(PROCESSOR_SOURCES[topic], received.record.position.partition, offset)

    def remember(self, batch: Iterable[tuple[EventT[Any], Received]]) -> None:
        """Adds the batch's event IDs; one write per payment."""
        by_payment: dict[str, tuple[EventT[Any], Entry]] = {}
        for event, received in batch:
            payment_id = received.payment_id
            if payment_id not in by_payment:
                by_payment[payment_id] = (event, self._entry(event, payment_id))
            position = received.record.position
            where = (_TOPIC_INDEX[position.topic], position.offset)
            by_payment[payment_id][1].setdefault(received.event_id, where)
        for payment_id, (event, entry) in by_payment.items():
            self._write(event, payment_id, entry)

    def _entry(self, event: EventT[Any], payment_id: str) -> Entry:
        with as_current(event):
            value = self._table.get(payment_id.encode())
        return _ENTRY.decode(value) if value is not None else {}

    def _write(
        self, event: EventT[Any], payment_id: str, entry: Mapping[str, tuple[int, int]]
    ) -> None:
        recent = list(entry.items())[-self._per_payment :]
        with as_current(event):
            self._table[payment_id.encode()] = _ENCODE(dict(recent))
