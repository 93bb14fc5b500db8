"""The head of an HTTP/1.1 request, read strictly. Pure: bytes in, a ``Head`` or a refusal out.

Every byte that isn't plainly right is refused, because what two programs read differently is a way
past one of them. An offer to upgrade (``Upgrade: h2c``) is ignored, as RFC 9110 allows: the request
is answered as what it is, HTTP/1.1.
"""

import re
from typing import Final, NamedTuple

from ingress.errors import HeadTooLargeError, MalformedRequestError

HEADERS_MAX: Final = 128
#: The ``length`` of a body that says by its chunks where it ends.
CHUNKED: Final = -1

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD: Final = _TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*+"
_REQUEST_LINE: Final = (
    rb"(" + _TOKEN + rb") "
    rb"(?:(?:http|HTTP)s?://[A-Za-z0-9\-._~%!$&'()*+,;=:@\[\]]+(?=[/? ]))?"
    rb'((?:/[!"$->@-~]*)?)(?:\?([!"$-~]*))? '
    rb"HTTP/1\.([01])\r\n"
)
_HEAD: Final = re.compile(_REQUEST_LINE + rb"(?:" + _FIELD + rb"\r\n)*+")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
#: One line of a header or trailer, without its end.
FIELD: Final = re.compile(_FIELD)

#: Fields that mean one thing, so that two of them are two readings.
_ONCE: Final = (
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"expect",
    b"content-type",
    b"content-encoding",
    b"authorization",
    b"idempotency-key",
)


class Head(NamedTuple):
    """What a head says; names of headers are in lower case."""

    method: str
    path: bytes
    query: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    #: Bytes of the body, 0 for none, or ``CHUNKED``.
    length: int
    keep_alive: bool
    expects_continue: bool


def read_head(raw: bytes) -> Head:
    """The head in ``raw``, which ends with its last line's CRLF, without the empty line.

    Raises MalformedRequestError or HeadTooLargeError.
    """
    found = _HEAD.fullmatch(raw)
    if found is None:
        raise _malformed(raw)
    method, path, query, minor = found.groups()
    if not path and not raw.startswith((b"http", b"HTTP"), len(method) + 1):
        raise _malformed(b"")
    lines = raw.split(b"\r\n")[1:-1]
    if len(lines) > HEADERS_MAX:
        raise HeadTooLargeError(f"A request has at most {HEADERS_MAX} header lines.")
    headers = []
    for each in lines:
        name, _, value = each.partition(b":")
        headers.append((name.lower(), value.strip()))  # only blanks: the pattern has the rest out
    fields = dict(headers)
    if len(fields) < len(headers):
        _refuse_repeated(headers)
    length = _body_length(fields, minor)
    expects = fields.get(b"expect")
    if expects is not None and expects.lower() != b"100-continue":
        raise MalformedRequestError("The only expectation that can be met is 100-continue.")
    return Head(
        method.decode("ascii"),
        path or b"/",
        query or b"",
        "1.1" if minor == b"1" else "1.0",
        headers,
        length,
        minor == b"1" and not (b"connection" in fields and _closes(headers)),
        expects is not None and minor == b"1" and length != 0,
    )


def _malformed(raw: bytes) -> MalformedRequestError:
    if re.match(_REQUEST_LINE, raw) is None:
        return MalformedRequestError("The request line is not 'METHOD /path HTTP/1.1'.")
    return MalformedRequestError("A header line is not 'Name: value'.")


def _body_length(fields: dict[bytes, bytes], minor: bytes) -> int:
    declared, encoding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if encoding is None:
        if declared is None:
            return 0
        if _LENGTH.fullmatch(declared) is None:
            raise MalformedRequestError("Content-Length is not a number of bytes.")
        return int(declared)
    if declared is not None:
        raise MalformedRequestError("Send Content-Length or Transfer-Encoding, not both.")
    if encoding.lower() != b"chunked" or minor != b"1":
        raise MalformedRequestError("The only Transfer-Encoding is chunked, in HTTP/1.1.")
    return CHUNKED


def _refuse_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            raise MalformedRequestError(f"The header {name.decode()} is there more than once.")


def _closes(headers: list[tuple[bytes, bytes]]) -> bool:
    options = b",".join(value for name, value in headers if name == b"connection")
    return b"close" in (option.strip(b" \t") for option in options.lower().split(b","))
