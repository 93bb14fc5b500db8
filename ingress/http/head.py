"""Parses the head of an HTTP/1.1 request strictly. Pure: bytes in, a ``Head`` or an error out.

Everything ambiguous is refused, because a request that two programs read differently can slip past
one of them. An offer to upgrade (``Upgrade: h2c``) is ignored, as RFC 9110 allows.
"""

import re
from typing import Final, NamedTuple

from ingress.errors import HeadTooLargeError, MalformedRequestError

HEADERS_MAX: Final = 128
#: The ``length`` of a chunked body.
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
#: The authority of RFC 3986 without user information, which Host does not have.
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
#: One line of a header or trailer, without its end.
FIELD: Final = re.compile(_FIELD)

#: Headers that must not be repeated, because programs differ in which one they read.
_NOT_REPEATABLE: Final = (
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
    """A parsed head. Names of headers are in lower case."""

    method: str
    path: bytes
    query: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    #: Bytes of the body, 0 if there is none, or ``CHUNKED``.
    length: int
    keep_alive: bool
    expects_continue: bool


def read_head(raw: bytes) -> Head:
    """Parses ``raw``: the head with the CRLF of its last line, without the empty line after it.

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
        raise HeadTooLargeError(f"Send at most {HEADERS_MAX} header lines.")
    headers = []
    for each in lines:
        name, _, value = each.partition(b":")
        headers.append((name.lower(), value.strip()))  # the pattern allows no other white space
    fields = dict(headers)
    if len(fields) < len(headers):
        _refuse_repeated(headers)
    host = fields.get(b"host")
    if _HOST.fullmatch(host or b"") is None and not (host is None and minor == b"0"):
        raise MalformedRequestError("Send the header 'Host: name' or 'Host: name:port'.")
    length = _body_length(fields, minor)
    expects = fields.get(b"expect")
    if expects is not None and expects.lower() != b"100-continue":
        raise MalformedRequestError("Send no Expect header but '100-continue'.")
    return Head(
        method.decode("ascii"),
        path or b"/",
        query or b"",
        "1.1" if minor == b"1" else "1.0",
        headers,
        length,
        minor == b"1" and not (b"connection" in fields and _asks_to_close(headers)),
        expects is not None and minor == b"1" and length != 0,
    )


def _malformed(raw: bytes) -> MalformedRequestError:
    if re.match(_REQUEST_LINE, raw) is None:
        return MalformedRequestError("The request line must be 'METHOD /path HTTP/1.1'.")
    return MalformedRequestError("Each header line must be 'Name: value'.")


def _body_length(fields: dict[bytes, bytes], minor: bytes) -> int:
    declared, encoding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if encoding is None:
        if declared is None:
            return 0
        if _LENGTH.fullmatch(declared) is None:
            raise MalformedRequestError("Content-Length must be a number of bytes.")
        return int(declared)
    if declared is not None:
        raise MalformedRequestError("Send Content-Length or Transfer-Encoding, not both.")
    if encoding.lower() != b"chunked" or minor != b"1":
        raise MalformedRequestError("Transfer-Encoding must be 'chunked', in HTTP/1.1.")
    return CHUNKED


def _refuse_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name in _NOT_REPEATABLE:
        if names.count(name) > 1:
            raise MalformedRequestError(f"The header {name.decode()} is repeated. Send it once.")


def _asks_to_close(headers: list[tuple[bytes, bytes]]) -> bool:
    options = b",".join(value for name, value in headers if name == b"connection")
    return b"close" in (option.strip(b" \t") for option in options.lower().split(b","))
