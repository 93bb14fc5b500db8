"""What a fetched batch holds. Whatever stands in it becomes records; nothing in it stops a reader.

aiokafka raises on a header name that is not UTF-8, on a wrong checksum, on a codec it does not know
and on bytes that are no records, and never gets past any of them. Here

* a header name that is not UTF-8 is read with replacement characters;
* a batch that cannot be taken apart is fetched a few times more, because a network may have damaged
  it, and then becomes one ``Unreadable`` record for each of its offsets, so that each of them gets
  an outcome of its own. The first of them carries the whole batch;
* a compressed batch that would become too large is unreadable at once
  (``messaging.kafka_internals.size``);
* offsets that hold no record (markers of transactions, records that compaction removed) are
  reported as ``OffsetGap`` to a reader that asks for it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from messaging.kafka_internals.size import MAGIC_AT, BatchTooLargeError, check_size
from ports.records import Unreadable
from runtime.logs import get_logger

log = get_logger(__name__)

#: How often a batch is fetched before it counts as unreadable.
TRIES: Final = 3
#: Offset and length of a batch, before everything that its length counts.
_HEAD: Final = struct.Struct(">qi")
#: Up to this format a batch's offset is its last one, and the oldest has no time.
_OLD_MAGIC_MAX: Final = 1
_NO_TIME: Final = -1


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """Offsets from ``offset`` to before ``stop`` hold no record."""

    offset: int
    stop: int
    #: There is nothing behind them yet.
    is_last: bool


class TolerantRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """One partition's part of a fetch, in place of aiokafka's own.

    Args:
        theirs: aiokafka's, of which nothing was read.
        raw: the bytes it reads.
        end: the offset behind the partition's last record.
        tries: how often each partition's batch was fetched in vain: its first offset and a count.
        tells_absent: whether ``OffsetGap`` is among the records.
    """

    next_fetch_offset: int

    def __init__(
        self,
        theirs: Any,
        raw: bytes,
        end: int,
        tries: dict[TopicPartition, tuple[int, int]],
        *,
        tells_absent: bool,
    ) -> None:
        super().__init__(
            theirs._tp,  # noqa: SLF001  # what this package is for
            MemoryRecords(raw),
            theirs._aborted_transactions,  # noqa: SLF001  # as above
            theirs.next_fetch_offset,
            None,
            None,
            theirs._check_crcs,  # noqa: SLF001  # as above
            theirs._isolation_level,  # noqa: SLF001  # as above
        )
        self._raw = raw
        self._end = end
        self._tries = tries
        self._tells_absent = tells_absent

    def _unpack_records(self) -> Iterator[Any]:
        for one in _batches(self._raw):
            try:
                # by itself: aiokafka reads all of a fetch in the format of its first batch
                yield from self._of(MemoryRecords(one).next_batch(), memoryview(one))
            except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop a reader
                found = self._names_replaced(one) if isinstance(error, UnicodeError) else None
                if found is None:
                    for_good = isinstance(error, BatchTooLargeError)  # its checksum was right
                    if not for_good and self._is_to_be_fetched_again():
                        return
                    found = self._unreadable(one, error)
                yield from found

    def _of(self, batch: Any, raw: memoryview | None = None) -> Iterator[Any]:
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("its checksum is wrong")
        if raw is not None:
            check_size(raw)
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                yield from self._up_to(batch.next_offset)
                return
        if not batch.is_control_batch:
            for record in batch:
                if record.offset < self.next_fetch_offset:
                    continue  # of a batch that begins before what was asked for
                if record.offset > self.next_fetch_offset:
                    yield from self._up_to(record.offset)
                self.next_fetch_offset = record.offset + 1
                came = self._consumer_record(self._tp, record)
                yield came if came.timestamp is not None else replace(came, timestamp=_NO_TIME)
        yield from self._up_to(batch.next_offset)

    def _up_to(self, offset: int) -> Iterator[OffsetGap]:
        """Goes on at this offset; what lies before it holds no record."""
        first = self.next_fetch_offset
        if offset <= first:
            return
        self.next_fetch_offset = offset
        if self._tells_absent:
            yield OffsetGap(first, offset, is_last=offset >= self._end)

    def _names_replaced(self, batch: bytes) -> Iterator[Any] | None:
        """The batch's records with readable header names; None where it can't be read so either."""
        parsed = _DefaultRecordBatchPy(batch)
        try:
            parsed._maybe_uncompress()  # noqa: SLF001  # see above
            parsed._buffer = _Lenient(parsed._buffer)  # noqa: SLF001  # see above
            records = list(parsed)
        except Exception:  # noqa: BLE001  # it becomes unreadable, with what was raised first
            return None
        return self._of(_Parsed(parsed, records))

    def _is_to_be_fetched_again(self) -> bool:
        first, count = self._tries.get(self._tp, (-1, 0))
        count = count + 1 if first == self.next_fetch_offset else 1
        self._tries[self._tp] = self.next_fetch_offset, count
        return count < TRIES

    def _unreadable(self, batch: bytes, error: Exception) -> Iterator[Any]:
        tp, first = self._tp, self.next_fetch_offset
        stop = max(first + 1, min(_stop(batch), self._end))
        why = f"the batch at offsets {first} to {stop - 1} can't be taken apart: {error!r}"
        log.error("batch.unreadable", topic=tp.topic, partition=tp.partition, reason=why)
        for offset in range(first, stop):
            value = Unreadable(batch if offset == first else b"", why)
            self.next_fetch_offset = offset + 1
            yield ConsumerRecord(
                tp.topic, tp.partition, offset, -1, 0, None, value, None, -1, len(value), ()
            )


class _Lenient(bytearray):
    """Bytes whose parts are always a text."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        del errors
        return super().decode(encoding, "replace")


class _Parsed:
    """A batch whose records were read already, and whose checksum was right."""

    def __init__(self, batch: Any, records: list[Any]) -> None:
        self.producer_id = batch.producer_id
        self.base_offset = batch.base_offset
        self.next_offset = batch.next_offset
        self.is_control_batch = batch.is_control_batch
        self.is_transactional = batch.is_transactional
        self._records = records

    def validate_crc(self) -> bool:
        """It was looked at before anything was read."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records)


def _batches(raw: bytes) -> Iterator[bytes]:
    """The batches of a fetch, which may end in the middle of one."""
    at = 0
    while len(raw) - at >= _HEAD.size:
        _, length = _HEAD.unpack_from(raw, at)
        start, at = at, at + _HEAD.size + max(0, int(length))
        if at > len(raw):
            return
        yield raw[start:at]


def _stop(batch: bytes) -> int:
    """The offset behind the batch's last one, as far as its header says."""
    try:
        if batch[MAGIC_AT] <= _OLD_MAGIC_MAX:
            return int(_HEAD.unpack_from(batch)[0]) + 1
        return int(_DefaultRecordBatchPy(batch).next_offset)
    except (struct.error, IndexError):
        return 0
