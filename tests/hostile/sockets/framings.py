"""Generates requests with valid and invalid framings from a seed."""

import random
from collections.abc import Callable
from typing import Final

Mutation = Callable[[random.Random, bytes], bytes]

_TARGETS: Final = (
    "/",
    "/v1/payments",
    "/a%20b?c=d&e",
    "/x/./..//y",
    "/?",
    "/v1/payments/pay_1/refunds",
)
_METHODS: Final = ("POST", "POST", "POST", "GET", "PUT", "DELETE", "PURGE")
_UPGRADE: Final = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
)
_EXTRAS: Final = (
    b"",
    b"",
    _UPGRADE,
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
    b"X-Latin: \xe9\xff\r\nX-Empty:\r\nX-Tab:\t a\t b \r\n",
    b"Authorization: Bearer key\r\nIdempotency-Key: k\r\n",
)
_TRAILERS: Final = (
    b"",
    b"",
    b"Authorization: Bearer stolen\r\n",
    b"Idempotency-Key: other\r\nContent-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\nX:\r\n",
)
_EXTENSIONS: Final = (b"", b"", b"", b";a", b" ; name=value", b';q="\xe9 x"', b"\t;;;")


def body(chance: random.Random) -> bytes:
    """Returns JSON, nothing, or bytes that look like protocol data."""
    return chance.choice(
        (
            b"",
            b'{"amount":500}',
            b'{"amount":%d}' % chance.randrange(10**9),
            b"0\r\n\r\n",
            b"\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
            chance.randbytes(chance.randrange(1, 300)),
            b"x" * chance.randrange(1, 3000),
        )
    )


def request(chance: random.Random) -> bytes:
    """Returns one well-formed request."""
    content = body(chance)
    method, target = chance.choice(_METHODS), chance.choice(_TARGETS)
    head = b"%s %s HTTP/1.1\r\nHost: ingress\r\n" % (method.encode(), target.encode())
    head += chance.choice(_EXTRAS)
    match chance.randrange(5):
        case 0:
            return b"\r\n" * chance.randrange(3) + head + b"\r\n"
        case 1 | 2:
            return head + b"Content-Length: %d\r\n\r\n" % len(content) + content
        case _:
            name = chance.choice((b"Transfer-Encoding", b"transfer-encoding"))
            value = chance.choice((b"chunked", b"Chunked"))
            return head + name + b": " + value + b"\r\n\r\n" + chunked(chance, content)


def chunked(chance: random.Random, content: bytes) -> bytes:
    """Returns the content in chunks of random sizes."""
    parts = []
    while content:
        size = chance.randrange(1, len(content) + 1)
        written = chance.choice((b"%x", b"%X", b"0%x")) % size
        parts.append(written + chance.choice(_EXTENSIONS) + b"\r\n" + content[:size] + b"\r\n")
        content = content[size:]
    last = chance.choice((b"0", b"0", b"000")) + chance.choice(_EXTENSIONS) + b"\r\n"
    return b"".join(parts) + last + chance.choice(_TRAILERS) + b"\r\n"


def _line_after_first(added: bytes) -> Mutation:
    return lambda _chance, raw: raw.replace(b"Host: ingress\r\n", b"Host: ingress\r\n" + added, 1)


def _replace(old: bytes, new: bytes) -> Mutation:
    return lambda _chance, raw: raw.replace(old, new, 1)


def _flip(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return (
        raw[:at]
        + bytes([chance.choice((0, 9, 10, 13, 32, 58, 127, chance.randrange(256)))])
        + raw[at + 1 :]
    )


def _drop(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return raw[:at] + raw[at + 1 :]


def _cut(chance: random.Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(1, len(raw))]


MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip,
    _flip,
    _flip,
    _drop,
    _cut,
    _line_after_first(b"Content-Length: 5\r\n"),
    _line_after_first(b"Content-Length: 5\r\nContent-Length: 5\r\n"),
    _line_after_first(b"Content-Length: 5, 5\r\n"),
    _line_after_first(b"Content-Length: +5\r\n"),
    _line_after_first(b"Content-Length: -1\r\n"),
    _line_after_first(b"Content-Length: 0x5\r\n"),
    _line_after_first(b"Content-Length:\r\n"),
    _line_after_first(b"Content-Length: 99999999999999999999\r\n"),
    _line_after_first(b"Content-Length : 5\r\n"),
    _line_after_first(b"Transfer-Encoding: chunked\r\n"),
    _line_after_first(b"Transfer-Encoding: gzip, chunked\r\n"),
    _line_after_first(b"Transfer-Encoding: identity\r\n"),
    _line_after_first(b"Transfer-Encoding: chunked, chunked\r\n"),
    _line_after_first(b"Transfer-Encoding: \x0bchunked\r\n"),
    _line_after_first(b"Transfer-Encoding\r\n"),
    _line_after_first(b" folded: line\r\n"),
    _line_after_first(b"X: a\r\n\tfolded\r\n"),
    _line_after_first(b"X: a\nContent-Length: 3\r\n"),
    _line_after_first(b"X: a\rContent-Length: 3\r\n"),
    _line_after_first(b"X: \x00\r\n"),
    _line_after_first(b": no name\r\n"),
    _line_after_first(b"Host: other\r\n"),
    _replace(b"Host: ingress\r\n", b""),
    *(
        _replace(b"Host: ingress\r\n", b"Host: " + host + b"\r\n")
        for host in (
            *(
                b"",
                b"a b/@",
                b"user@ingress",
                b"ingress/",
                b"ingress:x",
                b"ingress:123456",
                b"[::1",
            ),
            *(b"a,b", b"ingress:", b"[::1]:8080", b"a%2fb", b"a%zz", b"a\xe9", b":80", b"[]"),
        )
    ),
    _line_after_first(b"Expect: 200-ok\r\n"),
    _line_after_first(b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
    _line_after_first(b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    _replace(b"HTTP/1.1", b"HTTP/1.0"),
    _replace(b"HTTP/1.1", b"HTTP/2.0"),
    _replace(b"HTTP/1.1", b"HTTP/1.1 "),
    _replace(b" HTTP/1.1", b""),
    _replace(b"\r\n", b"\n"),
    _replace(b"\r\n\r\n", b"\n\n"),
    _replace(b"POST /", b"POST  /"),
    _replace(b"POST /", b"CONNECT ingress:443 /"),
    _replace(b"POST /", b"PO ST /"),
    _replace(b"POST /", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nPOST /"),
    _replace(b"POST /", b"POST #/"),
    _replace(b"chunked\r\n\r\n", b"chunked\r\n\r\n-"),
    _replace(b"chunked\r\n\r\n", b"chunked\r\n\r\n0x"),
    _replace(b"chunked\r\n\r\n", b"chunked\r\n\r\n "),
    _replace(b"chunked\r\n\r\n", b"chunked\r\n\r\n00000000000000000"),
    _replace(b"\r\n0\r\n", b"0\r\n"),
    _replace(b"0\r\n\r\n", b"0\r\n bad trailer\r\n\r\n"),
    _replace(b"0\r\n\r\n", b"0\r\n"),
    _replace(b"Content-Length: ", b"Content-Length: 1"),
    _replace(b"Content-Length: ", b"Content-Length: 0"),
)


def stream(seed: int) -> bytes:
    """Returns a connection's bytes: several requests; every second stream has an error."""
    chance = random.Random(seed)  # noqa: S311  # reproducible
    requests = [request(chance) for _ in range(chance.randrange(1, 5))]
    if seed % 2:
        wrong = chance.randrange(len(requests))
        requests[wrong] = chance.choice(MUTATIONS)(chance, requests[wrong])
    return b"".join(requests)


def pieces(seed: int, data: bytes) -> list[bytes]:
    """Returns the same bytes, split at random positions."""
    chance = random.Random(seed)  # noqa: S311  # reproducible
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 1, 3, 8))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]
