"""Batches that a topic may contain although none of our programs writes them."""

import zlib
from collections.abc import Iterator
from typing import Final

from tests.support.raw_batches import CODECS, Made, batch, replaced

#: A header name, and the bytes that a foreign client may send instead.
_NAME: Final = "abcd"
_NOT_UTF8: Final = b"\xff\xfe\x80\x01"
_NAMED: Final[Made] = (b"key", b"value", [(_NAME, b"text")])
#: The brokers accept no batch over 1 MiB; the limit applies to compressed bytes.
_NEARLY_MIB: Final = 1_000_000
_COMPRESSED_BYTES: Final = 12_000_000
#: Over the reader's decompression limit.
_BOMB_BYTES: Final = 20_000_000
_MANY: Final = 20_000
#: Invalid UTF-8, which stays large when it is converted to text.
_NOISE: Final = b"\xff\xfe" * (_NEARLY_MIB // 2)
#: The kinds without a key.
KEYLESS: Final = frozenset({"no key", "nothing at all"})


def poison() -> Iterator[tuple[str, bytes]]:
    """Yields the name and the batch of each kind. None contains an input."""
    for codec in CODECS:
        invalid = replaced(_NAME.encode(), _NOT_UTF8)
        yield f"a header name that is not UTF-8, {codec}", batch([_NAMED], codec, change=invalid)
        yield f"bytes, {codec}", batch([(b"key", zlib.compress(b"x" * 100), [])] * 3, codec)
    yield "no key", batch([(None, b"{}", [])])
    yield "no value", batch([(b"key", None, [])])
    yield "nothing at all", batch([(None, None, [])])
    yield "a key that is not UTF-8", batch([(b"\xff\x00", b"\xff\x00", [])])
    yield "a header without name and value", batch([(b"key", b"{}", [("", None)])])
    yield "NUL in a header", batch([(b"key", b"{}", [("a\0b", b"\0")])])
    yield "no timestamp", batch([_NAMED], timestamp=-1)
    yield "many headers", batch([(b"key", b"{}", [(f"h{n}", b"x") for n in range(_MANY)])])
    yield "a large header that is no text", batch([(b"key", b"{}", [("h", _NOISE)])])
    yield "a large key", batch([(_NOISE, b"{}", [])])
    yield "a large value", batch([(b"key", b"x" * _NEARLY_MIB, [])])
    yield "a bomb", batch([(b"k", bytes(_BOMB_BYTES), [])], "zstd")
    yield "a compressed value", batch([(b"k", b"x" * _COMPRESSED_BYTES, [])], "zstd")
