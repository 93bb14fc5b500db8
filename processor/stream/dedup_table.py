"""The dedup table: a changelog table of event IDs, the fast path in front of Postgres.

It is keyed by payment. An entry has the payment's recent event IDs, a bounded number, each with its
record's offset. So a batch writes one entry per payment, in the same partition as the payment's
records. The table is written only after the commit and the publishing: it never knows an event
whose effect did not happen. Postgres still knows the events that the table has evicted.

An entry is evicted when its payment was silent for the retention. Each batch checks a few more
entries, so the whole table is checked over time and the stream never stops for it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import msgspec

from ports.records import DecodedInput, RecordOffset
from ports.stores import TableEntries
from schemas.topics import PROCESSOR_SOURCES


class DedupEntry(msgspec.Struct, array_like=True):
    """One payment's entry."""

    #: Seconds since the epoch when it was last written.
    touched: int
    #: By ``short_id``: (index of the topic in PROCESSOR_SOURCES, offset), oldest first.
    event_ids: dict[int, tuple[int, int]]


def short_id(event_id: str) -> int:
    """Returns 64 bits of an event ID's digest, a third of its size.

    They are compared with those of one payment's recent events only: two of 64 are equal by chance
    in one of nine million billion payments.
    """
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest())


_DECODE: Final = msgspec.msgpack.Decoder(DedupEntry).decode
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_TOPIC_INDEX: Final = {topic: index for index, topic in enumerate(PROCESSOR_SOURCES)}
#: Entries that one batch checks for their age, per partition.
CHECKED_PER_BATCH: Final = 32


class DedupTable:
    """The recent event IDs of each payment.

    Read twice per batch, for all its payments at once: by ``lookup``, and by ``add``, because the
    batch before may have been added since. Written once.
    """

    def __init__(
        self,
        entries: TableEntries,
        per_payment: int,
        retention: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._entries = entries
        self._per_payment = per_payment
        self._retention_s = retention.total_seconds()
        self._clock = clock
        #: The last key that was checked for its age, by partition.
        self._last_walked: dict[int, bytes] = {}

    def lookup(self, batch: Sequence[DecodedInput]) -> list[RecordOffset | None]:
        """Returns, per input, the position of the record that brought its event ID, or None."""
        partitions = self._load(batch)
        return [_position(r, partitions[_partition(r)][r.payment_id]) for r in batch]

    async def add(self, batch: Sequence[DecodedInput], known: Mapping[str, RecordOffset]) -> None:
        """Adds the batch's event IDs, one change per payment.

        ``known`` has the positions of events that Postgres knew before, and the table must agree:
        if it had evicted the event, this record is a duplicate, and the first one may be
        redelivered. Of another partition's event, which came to the wrong payment, it says nothing:
        an entry has no partition, and its offset is another record's here. Postgres knows it.
        """
        partitions = self._load(batch)
        for received in batch:
            position = known.get(received.event_id, received.record.position)
            if position.partition != _partition(received):
                continue
            entry = partitions[_partition(received)][received.payment_id]
            where = (_TOPIC_INDEX[position.topic], position.offset)
            entry.event_ids.setdefault(short_id(received.event_id), where)
        touched = int(self._clock().timestamp())
        for partition, entries in partitions.items():
            await self._entries.put(
                partition,
                {key.encode(): self._encode(touched, entry) for key, entry in entries.items()},
            )

    async def evict(self, partitions: Iterable[int]) -> int:
        """Checks the next entries of each partition. Returns how many were evicted."""
        evicted = 0
        oldest = self._clock().timestamp() - self._retention_s
        for partition in set(partitions):
            after = self._last_walked.get(partition, b"")
            found = self._entries.walk(partition, after, CHECKED_PER_BATCH)
            self._last_walked[partition] = found[-1][0] if len(found) == CHECKED_PER_BATCH else b""
            old = [key for key, value in found if _touched(value) < oldest]
            if old:
                await self._entries.put(partition, dict.fromkeys(old))
            evicted += len(old)
        return evicted

    def _load(self, batch: Sequence[DecodedInput]) -> dict[int, dict[str, DedupEntry]]:
        """Returns the entries of a batch's payments, by partition and payment; empty if absent."""
        wanted: defaultdict[int, dict[str, DedupEntry]] = defaultdict(dict)
        for received in batch:
            wanted[_partition(received)][received.payment_id] = DedupEntry(0, {})
        for partition, entries in wanted.items():
            found = self._entries.get(partition, [key.encode() for key in entries])
            for key, value in found.items():
                with suppress(msgspec.MsgspecError):  # not an entry; Postgres knows the event IDs
                    entries[key.decode()] = _DECODE(value)
        return wanted

    def _encode(self, touched: int, entry: DedupEntry) -> bytes:
        event_ids = entry.event_ids
        if len(event_ids) > self._per_payment:
            event_ids = dict(list(event_ids.items())[-self._per_payment :])
        return _ENCODE(DedupEntry(touched, event_ids))


def _touched(value: bytes) -> int:
    """Returns when an entry was last written; -1 if it can't be read, so that it is evicted."""
    try:
        return _DECODE(value).touched
    except msgspec.MsgspecError:
        return -1


def _partition(received: DecodedInput) -> int:
    return received.record.position.partition


def _position(received: DecodedInput, entry: DedupEntry) -> RecordOffset | None:
    found = entry.event_ids.get(short_id(received.event_id))
    if found is None:
        return None
    topic, offset = found
    if not 0 <= topic < len(PROCESSOR_SOURCES):
        return None  # not an entry that this program wrote
    return RecordOffset(PROCESSOR_SOURCES[topic], _partition(received), offset)
