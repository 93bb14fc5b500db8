"""Parses a fetched batch. Any content becomes records, so no content can block a partition.

aiokafka raises on a header name that is not UTF-8, on a wrong checksum, on an unknown codec and on
malformed records, and it never gets past them. Here:

* A header name that is not UTF-8 is decoded with replacement characters.
* A batch that can't be parsed is fetched again a few times, because the network may have damaged
  it. Then it becomes one ``Unreadable`` record per offset, so that each offset has an outcome. The
  first of them carries the bytes of the whole batch.
* A compressed batch that would become too large is unreadable at once
  (``messaging.kafka_internals.size``).
* Offsets without a record (transaction markers, records removed by compaction) are reported as
  ``OffsetGap`` to readers that ask for it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, KafkaError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from messaging.kafka_internals.size import MAGIC_AT, BatchTooLargeError, decompressed
from ports.records import Unreadable
from runtime.logs import get_logger

log = get_logger(__name__)

#: How many times a batch is fetched before it counts as unreadable.
FETCH_ATTEMPTS: Final = 3
#: A batch's offset and length; the length counts what follows them.
_HEAD: Final = struct.Struct(">qi")
#: Up to this format, a batch's offset is its last one. The oldest format has no timestamps.
_OLD_MAGIC_MAX: Final = 1
_NO_TIME: Final = -1


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """The offsets from ``offset`` up to, but not including, ``stop`` have no record."""

    offset: int
    stop: int
    #: The partition ends at ``stop``.
    is_last: bool


class TolerantRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """One partition's part of a fetch. Replaces aiokafka's parser.

    Args:
        theirs: aiokafka's parser, from which nothing was read.
        raw: the bytes to parse.
        end: the offset after the partition's last record.
        attempts: by partition: the first offset of the batch that failed last, and how often.
        reports_gaps: whether to return an ``OffsetGap`` for offsets without a record.
    """

    next_fetch_offset: int

    def __init__(
        self,
        theirs: Any,
        raw: bytes,
        end: int,
        attempts: dict[TopicPartition, tuple[int, int]],
        *,
        reports_gaps: bool,
    ) -> None:
        super().__init__(
            theirs._tp,  # noqa: SLF001  # the purpose of this package
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
        self._attempts = attempts
        self._reports_gaps = reports_gaps

    def _unpack_records(self) -> Iterator[Any]:
        for one in _batches(self._raw):
            try:
                # one at a time: aiokafka parses a whole fetch in the format of its first batch
                yield from self._records_of(MemoryRecords(one).next_batch(), memoryview(one))
            except Exception as error:  # noqa: BLE001  # no error may stop a reader
                found = self._with_replaced_names(one) if isinstance(error, UnicodeError) else None
                if found is None:
                    is_final = isinstance(error, BatchTooLargeError)  # its checksum was right
                    if not is_final and self._should_refetch():
                        return
                    found = self._unreadable(one, error)
                yield from found

    def _records_of(self, batch: Any, raw: memoryview | None = None) -> Iterator[Any]:
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("its checksum is wrong")
        if raw is not None and (plain := decompressed(raw)) is not None:
            batch = MemoryRecords(plain).next_batch()
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                yield from self._skip_to(batch.next_offset)
                return
        if not batch.is_control_batch:
            for record in batch:
                if record.offset < self.next_fetch_offset:
                    continue  # the batch begins before the requested offset
                if record.offset > self.next_fetch_offset:
                    yield from self._skip_to(record.offset)
                self.next_fetch_offset = record.offset + 1
                parsed = self._consumer_record(self._tp, record)
                yield (
                    parsed if parsed.timestamp is not None else replace(parsed, timestamp=_NO_TIME)
                )
        yield from self._skip_to(batch.next_offset)

    def _skip_to(self, offset: int) -> Iterator[OffsetGap]:
        """Continues at this offset. The offsets before it have no record."""
        first = self.next_fetch_offset
        if offset <= first:
            return
        self.next_fetch_offset = offset
        if self._reports_gaps:
            yield OffsetGap(first, offset, is_last=offset >= self._end)

    def _with_replaced_names(self, batch: bytes) -> Iterator[Any] | None:
        """Returns the records with lenient header names; None if that fails too."""
        parsed = _DefaultRecordBatchPy(batch)
        try:
            parsed._maybe_uncompress()  # noqa: SLF001  # see above
            parsed._buffer = _Lenient(parsed._buffer)  # noqa: SLF001  # see above
            records = list(parsed)
        except Exception:  # noqa: BLE001  # it becomes unreadable, with the first error
            return None
        return self._records_of(_Parsed(parsed, records))

    def _should_refetch(self) -> bool:
        """Counts a failed parse. Returns whether to fetch the batch again."""
        first, count = self._attempts.get(self._tp, (-1, 0))
        count = count + 1 if first == self.next_fetch_offset else 1
        self._attempts[self._tp] = self.next_fetch_offset, count
        return count < FETCH_ATTEMPTS

    def _unreadable(self, batch: bytes, error: Exception) -> Iterator[Any]:
        tp, first = self._tp, self.next_fetch_offset
        stop = max(first + 1, min(_stop(batch), self._end))
        # the text of any other error may repeat bytes of the batch
        why = repr(error) if isinstance(error, KafkaError) else type(error).__name__
        reason = f"the batch at offsets {first} to {stop - 1} can't be parsed: {why}"
        log.error("batch.unreadable", topic=tp.topic, partition=tp.partition, reason=reason)
        for offset in range(first, stop):
            value = Unreadable(batch if offset == first else b"", reason)
            self.next_fetch_offset = offset + 1
            yield ConsumerRecord(
                tp.topic, tp.partition, offset, -1, 0, None, value, None, -1, len(value), ()
            )


class _Lenient(bytearray):
    """Bytes whose slices always decode."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        del errors
        return super().decode(encoding, "replace")


class _Parsed:
    """A batch whose records are already parsed and whose checksum was right."""

    def __init__(self, batch: Any, records: list[Any]) -> None:
        self.producer_id = batch.producer_id
        self.base_offset = batch.base_offset
        self.next_offset = batch.next_offset
        self.is_control_batch = batch.is_control_batch
        self.is_transactional = batch.is_transactional
        self._records = records

    def validate_crc(self) -> bool:
        """Always true: it was checked before the records were parsed."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records)


def _batches(raw: bytes) -> Iterator[bytes]:
    """Yields the complete batches of a fetch; it may end in the middle of one."""
    at = 0
    while len(raw) - at >= _HEAD.size:
        _, length = _HEAD.unpack_from(raw, at)
        start, at = at, at + _HEAD.size + max(0, int(length))
        if at > len(raw):
            return
        yield raw[start:at]


def _stop(batch: bytes) -> int:
    """Returns the offset after the batch's last one according to its header, or 0."""
    try:
        if batch[MAGIC_AT] <= _OLD_MAGIC_MAX:
            return int(_HEAD.unpack_from(batch)[0]) + 1
        return int(_DefaultRecordBatchPy(batch).next_offset)
    except (struct.error, IndexError):
        return 0
