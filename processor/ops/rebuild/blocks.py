"""Records of the log as a rebuild keeps them: packed in blocks, compressed."""

from collections.abc import Iterable, Mapping
from typing import Final

import cramjam
import msgspec
from msgspec import Struct

from ports.records import ConsumedRecord, RecordOffset

#: The fastest level: records of one kind repeat each other, so the block is small anyway.
_LEVEL: Final = 1


class LogRecord(Struct, array_like=True, frozen=True, gc=False):
    """What deciding a record needs of it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    headers: Mapping[str, str]
    value: bytes

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset

    def consumed(self) -> ConsumedRecord:
        """Returns it as the stream has it; of its time nothing depends."""
        return ConsumedRecord(
            position=RecordOffset(self.topic, self.partition, self.offset),
            key=self.key,
            value=self.value,
            headers=self.headers,
            timestamp_ms=0,
        )


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[LogRecord])


def pack(records: list[LogRecord]) -> bytes:
    """Returns a block of these records."""
    return bytes(cramjam.zstd.compress(_ENCODER.encode(records), _LEVEL))


def unpack(blocks: Iterable[bytes]) -> dict[tuple[str, int, int], LogRecord]:
    """Returns the records of these blocks by topic, partition and offset."""
    return {
        record.place: record
        for block in blocks
        for record in _DECODER.decode(cramjam.zstd.decompress(block))
    }
