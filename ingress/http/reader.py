"""Splits a connection's bytes into requests. Pure: no socket, no clock, no framework.

Everything of a request but its body shares one budget of bytes: empty lines before it, the head,
chunk headers and trailers. The body is passed on as it arrives; its reader limits it. No byte is
searched twice, so the cost is linear however the bytes are cut.
"""

import re
from typing import Final

from ingress.errors import HeadTooLargeError, MalformedRequestError
from ingress.http.head import CHUNKED, FIELD, Head, read_head

_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
#: What an incomplete line can't contain.
_STRAY: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n")


# What the next byte belongs to. Plain numbers, because an enum's members cost a look-up each time.
_HEAD: Final = 0
_BODY: Final = 1
_CHUNK_SIZE: Final = 2
_CHUNK_DATA: Final = 3
_CHUNK_END: Final = 4
_TRAILERS: Final = 5


class RequestReader:
    """Reads requests: ``feed`` it, call ``head`` until there is one, then ``body`` until complete.

    Args:
        limit: most bytes of a request besides its body.
    """

    __slots__ = ("_budget", "_data", "_limit", "_next", "_remaining", "_scanned", "_state")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._budget = limit
        self._data: bytes | bytearray = b""
        #: Bytes before this position were read; those before ``_scanned`` were searched.
        self._next = 0
        self._scanned = 0
        self._state: int = _HEAD
        self._remaining = 0

    @property
    def pending(self) -> int:
        """The number of bytes that arrived and are not yet read."""
        return len(self._data) - self._next

    def feed(self, data: bytes) -> None:
        """Adds bytes that arrived."""
        if self._next == len(self._data):
            self._data, self._next, self._scanned = data, 0, 0
            return
        if isinstance(self._data, bytes):
            self._data = bytearray(memoryview(self._data)[self._next :])
        else:
            del self._data[: self._next]
        self._scanned = max(0, self._scanned - self._next)
        self._next = 0
        self._data += data

    def head(self) -> Head | None:
        """Returns the next request's head, or None while it is incomplete.

        Raises MalformedRequestError or HeadTooLargeError.
        """
        data, begin = self._data, self._next
        while data.startswith(b"\r\n", begin):
            begin = self._next = begin + 2
            self._spend(2)
        end = data.find(b"\r\n\r\n", max(begin, self._scanned - 3))
        if end < 0:
            self._incomplete()
            return None
        self._spend(end + 4 - begin)
        head = read_head(bytes(data[begin : end + 2]))
        self._next = self._scanned = end + 4
        if head.length == CHUNKED:
            self._state = _CHUNK_SIZE
        else:
            self._state, self._remaining = _BODY, head.length
        return head

    def body(self) -> tuple[bytes, bool]:
        """Returns the new bytes of the body, and whether the body is complete.

        Raises MalformedRequestError or HeadTooLargeError.
        """
        if self._state == _BODY:
            part = self._take()
            complete = self._remaining == 0
        else:
            parts: list[bytes] = []
            complete = self._chunks(parts)
            part = b"".join(parts)
        if complete:
            self._state, self._budget = _HEAD, self._limit
        if self._next == len(self._data):  # an idle connection holds no memory
            self._data, self._next, self._scanned = b"", 0, 0
        return part, complete

    def _take(self) -> bytes:
        begin = self._next
        end = min(begin + self._remaining, len(self._data))
        self._remaining -= end - begin
        self._next = end
        return bytes(self._data[begin:end])

    def _chunks(self, parts: list[bytes]) -> bool:
        """Reads all chunks that arrived. Returns whether the body and its trailers are complete."""
        while True:
            if self._state == _CHUNK_DATA:
                parts.append(self._take())
                if self._remaining:
                    return False
                self._state = _CHUNK_END
            if self._state == _CHUNK_END:
                found = self._data[self._next : self._next + 2]
                if not b"\r\n".startswith(found):
                    raise MalformedRequestError("A chunk is longer than the size that it declares.")
                if len(found) < 2:  # noqa: PLR2004  # CRLF
                    return False
                self._next += 2
                self._state = _CHUNK_SIZE
                self._spend(2)
            if self._state == _CHUNK_SIZE and not self._chunk():
                return False
            if self._state == _TRAILERS:
                return self._trailers()

    def _chunk(self) -> bool:
        """Reads a chunk's first line. Returns whether it was complete."""
        if self._data.find(b"\r\n", max(self._next, self._scanned - 1)) < 0:
            self._incomplete()
            return False
        line = _CHUNK.match(self._data, self._next)
        if line is None:
            raise MalformedRequestError("A chunk does not begin with its size in hexadecimal.")
        self._spend(line.end() - self._next)
        self._next = self._scanned = line.end()
        self._remaining = int(line[1], 16)
        self._state = _CHUNK_DATA if self._remaining else _TRAILERS
        return True

    def _trailers(self) -> bool:
        """Skips the trailers. Returns whether they are complete."""
        while (line := self._line()) is not None:
            self._spend(len(line) + 2)
            if not line:
                return True
            if FIELD.fullmatch(line) is None:
                raise MalformedRequestError("A trailer line is not 'Name: value'.")
        return False

    def _line(self) -> bytes | None:
        """Returns the next line without its end, or None while it is incomplete."""
        end = self._data.find(b"\r\n", max(self._next, self._scanned - 1))
        if end < 0:
            self._incomplete()
            return None
        line = bytes(self._data[self._next : end])
        self._next = self._scanned = end + 2
        return line

    def _incomplete(self) -> None:
        """Refuses incomplete data that can't become valid."""
        if self.pending > self._budget:
            raise self._too_large()
        if _STRAY.search(self._data, max(self._next, self._scanned - 1)):
            raise MalformedRequestError(
                "Each line of the head must end with CRLF and contain no control characters."
            )
        self._scanned = len(self._data)

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise self._too_large()

    def _too_large(self) -> HeadTooLargeError:
        return HeadTooLargeError(
            f"Send at most {self._limit} bytes besides the body: "
            "request line, headers, chunk headers and trailers together."
        )
