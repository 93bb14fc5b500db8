"""Decompresses a batch up to a limit, before aiokafka would do it without one.

A topic limits the compressed size only. A few kilobytes of compressed zeros become gigabytes in a
reader, and aiokafka decompresses a whole batch at once. What our own producers compress with is
decompressed here only; any other codec is decompressed twice.
"""

import gzip
import io
import mmap
import struct
from typing import Final

import cramjam
from aiokafka import codec as codecs
from aiokafka.errors import CorruptRecordException

from schemas.topics import DECOMPRESSED_BYTES_MAX

#: The position of a batch's format number; of attributes and key in the formats 0 and 1.
MAGIC_AT: Final = 16
_OLD_ATTRIBUTES_AT: Final = 17
_OLD_KEY_AT: Final = (18, 26)
#: In format 2: the positions of the length, which counts what follows it, of the low byte of the
#: attributes, and of the records.
_LENGTH_AT: Final = 8
_ATTRIBUTES_AT: Final = 22
_RECORDS_AT: Final = 61
_CODEC: Final = 0x07
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
#: The head of a message in the old formats: its offset and its length, which has a minimum.
_OLD_HEAD: Final = struct.Struct(">qi")
_OLD_LENGTH_MIN: Final = 14
_LENGTH: Final = struct.Struct(">i")
_XERIAL_HEADER_BYTES: Final = 16
#: Bytes that are read at a time.
_PART_BYTES: Final = 64 * 1024


class BatchTooLargeError(CorruptRecordException):  # type: ignore[misc]  # aiokafka has no types
    """The batch decompresses to more than ``DECOMPRESSED_BYTES_MAX`` bytes."""

    def __init__(self) -> None:
        super().__init__(f"decompressed it is larger than {DECOMPRESSED_BYTES_MAX} bytes")


def decompressed(raw: memoryview) -> bytes | None:
    """Returns the batch as if it had not been compressed; its checksum is not made again.

    Returns None for a batch that aiokafka can take as it is: it is not compressed, or with another
    codec, and not too large.

    Raises BatchTooLargeError, and a codec's own errors for malformed data. An unknown codec is left
    to aiokafka, which raises its own error.
    """
    magic = raw[MAGIC_AT]
    if magic >= len(_OLD_KEY_AT):
        codec = raw[_ATTRIBUTES_AT] & _CODEC
        if codec == _ZSTD:
            return _plain(raw, _bounded(cramjam.zstd, raw[_RECORDS_AT:]))
        _check(codec, raw[_RECORDS_AT:])
    elif codec := raw[_OLD_ATTRIBUTES_AT] & _CODEC:
        messages = _old_messages(raw, _OLD_KEY_AT[magic])
        _check(codec, messages)
        _check_lengths(codec, messages)
    return None


def _plain(raw: memoryview, records: bytes) -> bytes:
    """Returns a batch of format 2 with these records, uncompressed."""
    head = bytearray(raw[:_RECORDS_AT])
    head[_ATTRIBUTES_AT] &= ~_CODEC
    after_length = _LENGTH_AT + _LENGTH.size
    _LENGTH.pack_into(head, _LENGTH_AT, _RECORDS_AT - after_length + len(records))
    return bytes(head) + records


def _check(codec: int, data: memoryview) -> None:
    if codec == _GZIP:  # like aiokafka: all members
        if _gzip_bytes(data) > DECOMPRESSED_BYTES_MAX:
            raise BatchTooLargeError
    elif codec == _SNAPPY:
        if _snappy_bytes(data) > DECOMPRESSED_BYTES_MAX:
            raise BatchTooLargeError
    elif codec in {_LZ4, _ZSTD}:
        _bounded(cramjam.lz4 if codec == _LZ4 else cramjam.zstd, data)


def _gzip_bytes(data: memoryview) -> int:
    """Returns the decompressed size in bytes; it stops counting soon after the limit."""
    total = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as reading:
        while total <= DECOMPRESSED_BYTES_MAX and (part := reading.read(_PART_BYTES)):
            total += len(part)
    return total


def _bounded(module: object, data: memoryview) -> bytes:
    """Decompresses into a buffer of the limit's size, whose unused pages take no memory.

    Raises BatchTooLargeError if it overflows.
    """
    with mmap.mmap(-1, DECOMPRESSED_BYTES_MAX) as room:
        try:
            size = module.decompress_into(data.tobytes(), room)  # type: ignore[attr-defined]
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
            raise BatchTooLargeError from error
        return room[:size]


def _snappy_bytes(data: memoryview) -> int:
    """Returns the size in bytes that the data declares; the codec enforces it."""
    if not codecs._detect_xerial_stream(data):  # noqa: SLF001  # no public equivalent
        return int(cramjam.snappy.decompress_raw_len(data.tobytes()))
    total, at = 0, _XERIAL_HEADER_BYTES
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length <= 0:
            raise CorruptRecordException(f"a block of {length} bytes")
        total += int(cramjam.snappy.decompress_raw_len(data[at : at + length].tobytes()))
        at += length
    return total


def _old_messages(raw: memoryview, at: int) -> memoryview:
    """Returns the compressed messages of a batch in an old format: its value."""
    (key_bytes,) = _LENGTH.unpack_from(raw, at)
    at += _LENGTH.size + max(0, key_bytes)
    (value_bytes,) = _LENGTH.unpack_from(raw, at)
    at += _LENGTH.size
    return raw[at : at + max(0, value_bytes)]


def _check_lengths(codec: int, messages: memoryview) -> None:
    """Raises CorruptRecordException for a length on which aiokafka would loop for ever."""
    decode = {_GZIP: codecs.gzip_decode, _SNAPPY: codecs.snappy_decode, _LZ4: codecs.lz4_decode}
    if codec not in decode:
        return  # the old formats have no other codec
    found, at = decode[codec](messages.tobytes()), 0
    while at < len(found):
        _, length = _OLD_HEAD.unpack_from(found, at)
        if length < _OLD_LENGTH_MIN:
            raise CorruptRecordException(f"a message of {length} bytes")
        at += _OLD_HEAD.size + length
