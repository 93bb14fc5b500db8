"""Takes a connection's bytes apart into requests. Pure: no socket, no clock, no framework.

Every byte is counted. What is not a body (empty lines before a request, the head, what stands
around chunks, trailers) shares one budget per request; a body is handed on as it comes, and its
reader limits it. Nothing is looked at twice, so the cost is linear however the bytes are cut.
"""

import re
from typing import Final

from ingress.errors import HeadTooLargeError, MalformedRequestError
from ingress.http.head import CHUNKED, FIELD, Head, read_head

_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
#: What can't stand in a line that is still to be completed.
_STRAY: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n")


# What the next byte belongs to. Plain numbers: members of an enum cost a look-up each time.
_HEAD: Final = 0
_BODY: Final = 1
_CHUNK_SIZE: Final = 2
_CHUNK_DATA: Final = 3
_CHUNK_END: Final = 4
_TRAILERS: Final = 5


class RequestReader:
    """Feed it with what arrives, then ask for a head, and for its body until that is complete.

    Args:
        limit: most bytes of a request that are not its body.
    """

    __slots__ = ("_at", "_budget", "_data", "_left", "_limit", "_next", "_scanned")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._budget = limit
        self._data: bytes | bytearray = b""
        #: Everything before this was read, everything before ``_scanned`` was searched.
        self._next = 0
        self._scanned = 0
        self._at: int = _HEAD
        self._left = 0

    @property
    def pending(self) -> int:
        """Bytes that arrived and are not read yet."""
        return len(self._data) - self._next

    def feed(self, data: bytes) -> None:
        """Takes what arrived."""
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
        """The next request's head, once it is complete.

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
            self._at = _CHUNK_SIZE
        else:
            self._at, self._left = _BODY, head.length
        return head

    def body(self) -> tuple[bytes, bool]:
        """What is there of the body and was not given out before, and whether that was the last.

        Raises MalformedRequestError or HeadTooLargeError.
        """
        if self._at == _BODY:
            part = self._take()
            complete = self._left == 0
        else:
            parts: list[bytes] = []
            complete = self._chunks(parts)
            part = b"".join(parts)
        if complete:
            self._at, self._budget = _HEAD, self._limit
        if self._next == len(self._data):  # an idle connection keeps nothing of what it sent
            self._data, self._next, self._scanned = b"", 0, 0
        return part, complete

    def _take(self) -> bytes:
        begin = self._next
        end = min(begin + self._left, len(self._data))
        self._left -= end - begin
        self._next = end
        return bytes(self._data[begin:end])

    def _chunks(self, parts: list[bytes]) -> bool:
        """Reads on as far as it goes; whether the body and its trailers are complete."""
        while True:
            if self._at == _CHUNK_DATA:
                parts.append(self._take())
                if self._left:
                    return False
                self._at = _CHUNK_END
            if self._at == _CHUNK_END:
                found = self._data[self._next : self._next + 2]
                if not b"\r\n".startswith(found):
                    raise MalformedRequestError("A chunk is not as long as it says.")
                if len(found) < 2:  # noqa: PLR2004  # CRLF
                    return False
                self._next += 2
                self._at = _CHUNK_SIZE
                self._spend(2)
            if self._at == _CHUNK_SIZE and not self._chunk():
                return False
            if self._at == _TRAILERS:
                return self._trailers()

    def _chunk(self) -> bool:
        """Reads a chunk's first line; whether it was there."""
        if self._data.find(b"\r\n", max(self._next, self._scanned - 1)) < 0:
            self._incomplete()
            return False
        line = _CHUNK.match(self._data, self._next)
        if line is None:
            raise MalformedRequestError("A chunk does not begin with its size.")
        self._spend(line.end() - self._next)
        self._next = self._scanned = line.end()
        self._left = int(line[1], 16)
        self._at = _CHUNK_DATA if self._left else _TRAILERS
        return True

    def _trailers(self) -> bool:
        """Reads past the trailers: they come too late to say anything about the request."""
        while (line := self._line()) is not None:
            self._spend(len(line) + 2)
            if not line:
                return True
            if FIELD.fullmatch(line) is None:
                raise MalformedRequestError("A trailer line is not 'Name: value'.")
        return False

    def _line(self) -> bytes | None:
        """The next line without its end."""
        end = self._data.find(b"\r\n", max(self._next, self._scanned - 1))
        if end < 0:
            self._incomplete()
            return None
        line = bytes(self._data[self._next : end])
        self._next = self._scanned = end + 2
        return line

    def _incomplete(self) -> None:
        """Nothing is complete yet: refuses what can't become so."""
        if self.pending > self._budget:
            raise self._too_large()
        if _STRAY.search(self._data, max(self._next, self._scanned - 1)):
            raise MalformedRequestError("A line of the head ends with CRLF and has no NUL.")
        self._scanned = len(self._data)

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise self._too_large()

    def _too_large(self) -> HeadTooLargeError:
        return HeadTooLargeError(
            f"A request has at most {self._limit} bytes besides its body: "
            "the request line, headers, what stands around chunks, and trailers."
        )
