"""The changelog table of seen event IDs: the fast path in front of Postgres, never the authority.

Keyed by payment, with its recent event IDs and where they stood: one entry per payment and batch
to write, a bounded number of IDs in each, and the same partition as the payment's records by
construction. It is written only after the Postgres commit and the publishing, so it never says
"seen" of an effect that did not happen. What it has forgotten, Postgres still knows.

An entry leaves when its payment was silent for the retention: each batch looks at a few entries
more, so the table is gone through again and again without ever being stopped for.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from faust.types import EventT

from processor.faust_internals import as_current, walk
from processor.records import Position, Received
from schemas.topics import PROCESSOR_SOURCES


class Entry(msgspec.Struct, array_like=True):
    """What the table holds of one payment."""

    #: Seconds since the epoch when it was last written.
    touched: int
    #: Event ID to (index of its topic in PROCESSOR_SOURCES, offset), oldest first.
    seen: dict[str, tuple[int, int]]


_DECODE: Final = msgspec.msgpack.Decoder(Entry).decode
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_TOPIC_INDEX: Final = {topic: index for index, topic in enumerate(PROCESSOR_SOURCES)}
#: Entries looked at per batch and partition for being too old.
LOOKED_AT: Final = 32


class SeenTable:
    """A Faust table from payment ID to its recent event IDs."""

    def __init__(
        self,
        table: Any,
        per_payment: int,
        retention: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._per_payment = per_payment
        self._retention_s = retention.total_seconds()
        self._clock = clock
        #: The last key looked at, by partition.
        self._walked: dict[int, bytes] = {}

    def position(self, event: EventT[Any], received: Received) -> Position | None:
        """Where this event ID was seen, if it was."""
        found = self._entry(event, received.payment_id).seen.get(received.event_id)
        if found is None:
            return None
        topic, offset = found
        return Position(PROCESSOR_SOURCES[topic], received.record.position.partition, offset)

    def remember(
        self, batch: Iterable[tuple[EventT[Any], Received]], known: Mapping[str, Position]
    ) -> None:
        """Adds the batch's event IDs; one write per payment.

        ``known`` has the positions of those that Postgres knew before. The table must agree with
        it: of an event ID it had forgotten, the record at hand may be a second one, and the first
        may yet be delivered again.
        """
        by_payment: dict[str, tuple[EventT[Any], Entry]] = {}
        for event, received in batch:
            payment_id = received.payment_id
            if payment_id not in by_payment:
                by_payment[payment_id] = (event, self._entry(event, payment_id))
            position = known.get(received.event_id, received.record.position)
            where = (_TOPIC_INDEX[position.topic], position.offset)
            by_payment[payment_id][1].seen.setdefault(received.event_id, where)
        for payment_id, (event, entry) in by_payment.items():
            self._write(event, payment_id, entry)

    def forget_old(self, events: Iterable[EventT[Any]]) -> int:
        """Looks at a few entries more of each partition; answers how many left the table."""
        by_partition = {event.message.partition: event for event in events}
        return sum(self._forget_old(event) for event in by_partition.values())

    def _forget_old(self, event: EventT[Any]) -> int:
        partition = event.message.partition
        found = walk(self._table, partition, self._walked.get(partition, b""), LOOKED_AT)
        self._walked[partition] = found[-1][0] if len(found) == LOOKED_AT else b""
        oldest = self._clock().timestamp() - self._retention_s
        old = [key for key, value in found if _DECODE(value).touched < oldest]
        with as_current(event):
            for key in old:
                del self._table[key]
        return len(old)

    def _entry(self, event: EventT[Any], payment_id: str) -> Entry:
        with as_current(event):
            value = self._table.get(payment_id.encode())
        return _DECODE(value) if value is not None else Entry(0, {})

    def _write(self, event: EventT[Any], payment_id: str, entry: Entry) -> None:
        recent = dict(list(entry.seen.items())[-self._per_payment :])
        with as_current(event):
            touched = int(self._clock().timestamp())
            self._table[payment_id.encode()] = _ENCODE(Entry(touched, recent))
