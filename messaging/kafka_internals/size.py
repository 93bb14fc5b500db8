"""How large a compressed batch becomes, found out before aiokafka decompresses it.

A topic's limit is on a batch as it comes. A few kilobytes of zeros become gigabytes in a reader,
and aiokafka decompresses a whole batch at once, whatever becomes of it. Here it is decompressed up
to a limit first. None of our own producers compresses, so this costs nothing for what they write.
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

#: Where a batch has its format, and the formats before the second their attributes and their key.
MAGIC_AT: Final = 16
_OLD_ATTRIBUTES_AT: Final = 17
_OLD_KEY_AT: Final = (18, 26)
#: The same of the second format: the low byte of its attributes, and its records.
_ATTRIBUTES_AT: Final = 22
_RECORDS_AT: Final = 61
_CODEC: Final = 0x07
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
#: Before each message of an old batch: its offset and its length, which counts at least that much.
_OLD_HEAD: Final = struct.Struct(">qi")
_OLD_LENGTH_MIN: Final = 14
_LENGTH: Final = struct.Struct(">i")
_XERIAL_HEADER_BYTES: Final = 16
#: Read at a time.
_PART_BYTES: Final = 64 * 1024


class BatchTooLargeError(CorruptRecordException):  # type: ignore[misc]  # aiokafka has no types
    """A batch that would take more than ``DECOMPRESSED_BYTES_MAX`` bytes of memory."""

    def __init__(self) -> None:
        super().__init__(f"decompressed it is larger than {DECOMPRESSED_BYTES_MAX} bytes")


def check_size(raw: memoryview) -> None:
    """Raises BatchTooLargeError for a batch that is too large once it is decompressed.

    Raises whatever a codec raises on bytes that are not its own. An unknown codec is left to
    aiokafka, which knows none either.
    """
    magic = raw[MAGIC_AT]
    if magic >= len(_OLD_KEY_AT):
        if codec := raw[_ATTRIBUTES_AT] & _CODEC:
            _check(codec, raw[_RECORDS_AT:])
    elif codec := raw[_OLD_ATTRIBUTES_AT] & _CODEC:
        messages = _old_messages(raw, _OLD_KEY_AT[magic])
        _check(codec, messages)
        _check_lengths(codec, messages)


def _check(codec: int, data: memoryview) -> None:
    if codec == _GZIP:  # as aiokafka reads it, one member after the other
        is_too_large = _gzip_bytes(data) > DECOMPRESSED_BYTES_MAX
    elif codec == _SNAPPY:
        is_too_large = _snappy_bytes(data) > DECOMPRESSED_BYTES_MAX
    elif codec in {_LZ4, _ZSTD}:
        is_too_large = _overflows(cramjam.lz4 if codec == _LZ4 else cramjam.zstd, data)
    else:
        return
    if is_too_large:
        raise BatchTooLargeError


def _gzip_bytes(data: memoryview) -> int:
    """What it becomes, as far as the limit and a little beyond."""
    total = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as reading:
        while total <= DECOMPRESSED_BYTES_MAX and (part := reading.read(_PART_BYTES)):
            total += len(part)
    return total


def _overflows(module: object, data: memoryview) -> bool:
    """Whether it has no room in a buffer of that size; pages that it does not use take none."""
    with mmap.mmap(-1, DECOMPRESSED_BYTES_MAX) as room:
        try:
            module.decompress_into(data.tobytes(), room)  # type: ignore[attr-defined]
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
            return True
    return False


def _snappy_bytes(data: memoryview) -> int:
    """What it says it becomes; the codec holds it to that."""
    if not codecs._detect_xerial_stream(data):  # noqa: SLF001  # there is no public way to tell
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
    """The compressed messages in an old batch: its value."""
    (key_bytes,) = _LENGTH.unpack_from(raw, at)
    at += _LENGTH.size + max(0, key_bytes)
    (value_bytes,) = _LENGTH.unpack_from(raw, at)
    at += _LENGTH.size
    return raw[at : at + max(0, value_bytes)]


def _check_lengths(codec: int, messages: memoryview) -> None:
    """Raises CorruptRecordException for a length that would keep aiokafka at it for ever."""
    decode = {_GZIP: codecs.gzip_decode, _SNAPPY: codecs.snappy_decode, _LZ4: codecs.lz4_decode}
    if codec not in decode:
        return  # the old formats have no other
    found, at = decode[codec](messages.tobytes()), 0
    while at < len(found):
        _, length = _OLD_HEAD.unpack_from(found, at)
        if length < _OLD_LENGTH_MIN:
            raise CorruptRecordException(f"a message of {length} bytes")
        at += _OLD_HEAD.size + length
