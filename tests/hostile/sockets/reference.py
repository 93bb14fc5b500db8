"""An independent HTTP/1.1 reader written from the RFC; it shares no code with the ingress.

Tests compare the ingress's reader with it, so it is simple rather than fast.
"""

from dataclasses import dataclass
from typing import Final, Literal

_TCHAR: Final = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
#: Unreserved characters and sub-delimiters of RFC 3986.
_HOST_BYTES: Final = frozenset(
    b"-._~!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_SINGLE: Final = {
    "content-length", "transfer-encoding", "host", "expect", "content-type", "content-encoding",
    "authorization", "idempotency-key",
}  # fmt: skip


class NotHttpError(Exception):
    """These bytes can't be the beginning of a request."""


class IncompleteError(Exception):
    """More bytes are needed to complete a request."""


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    last: bool
    """The connection ends after the response."""


@dataclass(frozen=True)
class Reading:
    """The requests of a stream, and what its remaining bytes are."""

    requests: tuple[Request, ...]
    rest: Literal["nothing", "incomplete", "refused", "ignored"]


class _Stream:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def line(self) -> bytes:
        """Returns the next line without its CRLF."""
        line = bytearray()
        for at, byte in enumerate(self.data):
            if (line[-1:] == b"\r" and byte != 10) or (byte == 10 and line[-1:] != b"\r"):
                raise NotHttpError
            if byte == 10:
                self.data = self.data[at + 1 :]
                return bytes(line[:-1])
            if byte == 127 or (byte < 32 and byte not in {9, 13}):
                raise NotHttpError
            line.append(byte)
        raise IncompleteError

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise IncompleteError
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def read(data: bytes) -> Reading:
    """Reads the stream as far as possible."""
    stream, requests = _Stream(data), list[Request]()
    while True:
        try:
            requests.append(_request(stream))
        except NotHttpError:
            return Reading(tuple(requests), "refused")
        except IncompleteError:
            nothing = not stream.data.replace(b"\r\n", b"")
            return Reading(tuple(requests), "nothing" if nothing else "incomplete")
        if requests[-1].last:
            return Reading(tuple(requests), "ignored")


def _request(stream: _Stream) -> Request:
    while stream.data.startswith(b"\r\n"):
        stream.take(2)
    lines = []
    head = _Stream(stream.data)
    while line := head.line():
        lines.append(line)
    words = lines[0].split(b" ")
    if len(words) != 3 or words[2] not in {b"HTTP/1.0", b"HTTP/1.1"}:
        raise NotHttpError
    if not words[0] or set(words[0]) - _TCHAR:
        raise NotHttpError
    if not words[1].startswith(b"/") or any(not 33 <= b <= 126 or b == 35 for b in words[1]):
        raise NotHttpError
    headers = tuple(_field(line) for line in lines[1:])
    old = words[2] == b"HTTP/1.0"
    _check_host([value for name, value in headers if name == "host"], old=old)
    body = _body(headers, head, old=old)
    stream.data = head.data
    options = [
        option.strip(" \t").lower()
        for name, value in headers
        if name == "connection"
        for option in value.split(",")
    ]
    return Request(
        words[0].decode(), words[1].decode(), headers, body, last=old or "close" in options
    )


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not name or set(name) - _TCHAR:
        raise NotHttpError
    return name.decode().lower(), value.decode("latin-1").strip(" \t")


def _check_host(values: list[str], *, old: bool) -> None:
    if not values and old:
        return
    if len(values) != 1:
        raise NotHttpError
    name, port = values[0], ""
    if name.startswith("["):
        name, end, port = name[1:].partition("]")
        if (
            not end
            or not name
            or set(name) - set("0123456789abcdefABCDEF:.")
            or port[:1] not in {"", ":"}
        ):
            raise NotHttpError
        port = port[1:]
    else:
        name, _, port = name.partition(":")
        parts = name.split("%")
        hexadecimal = set("0123456789abcdefABCDEF")
        if any(len(part) < 2 or set(part[:2]) - hexadecimal for part in parts[1:]):
            raise NotHttpError
        if not name or set("".join(parts).encode("latin-1")) - _HOST_BYTES:
            raise NotHttpError
    if len(port) > 5 or set(port) - set("0123456789"):
        raise NotHttpError


def _body(headers: tuple[tuple[str, str], ...], stream: _Stream, *, old: bool) -> bytes:
    seen: dict[str, str] = {}
    for name, value in headers:
        if name in _SINGLE and name in seen:
            raise NotHttpError
        seen[name] = value
    if seen.get("expect", "100-continue").lower() != "100-continue":
        raise NotHttpError
    if "transfer-encoding" in seen:
        if "content-length" in seen or seen["transfer-encoding"].lower() != "chunked" or old:
            raise NotHttpError
        return _chunks(stream)
    if "content-length" not in seen:
        return b""
    length = seen["content-length"]
    if not 1 <= len(length) <= 18 or set(length) - set("0123456789"):
        raise NotHttpError
    return stream.take(int(length))


def _chunks(stream: _Stream) -> bytes:
    body = b""
    while True:
        line = stream.line()
        size = line.partition(b";")[0]
        if b";" in line:
            size = size.rstrip(b" \t")
        if not 1 <= len(size) <= 16 or set(size) - _HEX:
            raise NotHttpError
        if int(size, 16) == 0:
            break
        chunk = stream.data[: int(size, 16)]
        body += chunk
        stream.take(len(chunk))
        if len(chunk) < int(size, 16):
            raise IncompleteError
        end = stream.data[:2]
        if not b"\r\n".startswith(end):
            raise NotHttpError
        stream.take(2)
    while line := stream.line():
        _field(line)
    return body
