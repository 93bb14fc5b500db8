"""Reads which offsets have a record, and how old they are, from the heads of batches alone."""

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.errors import CorruptRecordException
from msgspec import Struct

from messaging.kafka_internals.records import TolerantRecords
from messaging.kafka_internals.size import MAGIC_AT

_MAGIC: Final = 2
#: Attributes, the last offset less the first, the first timestamp and the latest.
_HEAD: Final = struct.Struct(">hiqq")
_HEAD_AT: Final = 21
_COUNT: Final = struct.Struct(">i")
_COUNT_AT: Final = 57
_TRANSACTIONAL_OR_CONTROL: Final = 0x30


class Span(Struct, frozen=True, gc=False):
    """There is a record at each offset from ``offset`` up to, but not including, ``stop``."""

    offset: int
    stop: int
    #: The latest of theirs, in ms. A batch is not in the log before it.
    timestamp: int


class SpanRecords(TolerantRecords):
    """Returns a span for each batch whose head says all; the records of any other batch."""

    def _records_of(self, batch: Any, raw: memoryview | None = None) -> Iterator[Any]:
        if raw is None or not _has_all(raw):
            yield from super()._records_of(batch, raw)
            return
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("its checksum is wrong")
        first, self.next_fetch_offset = self.next_fetch_offset, batch.next_offset
        *_, timestamp = _HEAD.unpack_from(raw, _HEAD_AT)
        yield Span(max(first, batch.base_offset), batch.next_offset, timestamp)


def _has_all(raw: memoryview) -> bool:
    """Whether the batch has a record at each of its offsets, and no transaction decides on it."""
    if raw[MAGIC_AT] != _MAGIC:
        return False
    attributes, last, *_ = _HEAD.unpack_from(raw, _HEAD_AT)
    (count,) = _COUNT.unpack_from(raw, _COUNT_AT)
    return not attributes & _TRANSACTIONAL_OR_CONTROL and count == last + 1
