"""The ingress's reader accepts the same requests as the reference, and reads them alike."""

import random

import httptools
import pytest

from ingress.errors import HeadTooLargeError, MalformedRequestError
from ingress.http.head import Head
from ingress.http.reader import RequestReader
from tests.hostile.sockets import framings, reference

SEEDS = 1500
LIMIT = 16_384


def reading(parts: list[bytes]) -> reference.Reading:
    """Reads a connection's parts with the ingress's reader."""
    reader, requests = RequestReader(LIMIT), list[reference.Request]()
    head: Head | None = None
    body = b""
    for part in parts:
        reader.feed(part)
        while True:
            try:
                head = head or reader.head()
                if head is None:
                    break
                more, complete = reader.body()
            except MalformedRequestError:
                return reference.Reading(tuple(requests), "refused")
            body += more
            if not complete:
                break
            requests.append(as_request(head, body))
            if not head.keep_alive:
                return reference.Reading(tuple(requests), "ignored")
            head, body = None, b""
    incomplete = head is not None or reader.pending > 0
    return reference.Reading(tuple(requests), "incomplete" if incomplete else "nothing")


def as_request(head: Head, body: bytes) -> reference.Request:
    """Returns the request in the reference's form."""
    target = head.path.decode() + (f"?{head.query.decode()}" if head.query else "")
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
    return reference.Request(head.method, target, headers, body, last=not head.keep_alive)


def normalized(read: reference.Reading) -> reference.Reading:
    """Removes an empty query, which ASGI can't distinguish from a missing one."""
    requests = (
        reference.Request(r.method, r.target.removesuffix("?"), r.headers, r.body, r.last)
        for r in read.requests
    )
    return reference.Reading(tuple(requests), read.rest)


def test_every_framing_is_read_as_by_the_reference() -> None:
    """Valid and invalid streams give the same result in random pieces and byte by byte."""
    ends = set()
    for seed in range(SEEDS):
        data = framings.stream(seed)
        expected = normalized(reference.read(data))
        ends.add(expected.rest)
        assert normalized(reading(framings.pieces(seed, data))) == expected, (seed, data)
        if seed % 20 == 0:
            assert normalized(reading([bytes([byte]) for byte in data])) == expected, (seed, data)
    assert ends == {"nothing", "incomplete", "refused", "ignored"}


class _Llhttp:
    """Collects the bodies that httptools reads."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.begun = 0

    def on_message_begin(self) -> None:
        self.begun += 1
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.bodies.append(self._body)


def test_httptools_reads_the_same_bodies() -> None:
    """Only streams that httptools accepts and that offer no upgrade can be compared."""
    compared = 0
    for seed in range(SEEDS // 2):
        data = framings.stream(seed)
        read = reading([data])
        if b"upgrade" in data.lower() or not read.requests or read.rest != "nothing":
            continue
        collector = _Llhttp()
        try:
            httptools.HttpRequestParser(collector).feed_data(data)
        except httptools.HttpParserError:
            continue
        assert collector.bodies == [each.body for each in read.requests]
        compared += 1
    assert compared > SEEDS // 40


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"", b"\r\n"),
        (b"G", b"E"),
        (b"GET /", b"a"),
        (b"GET / HTTP/1.1\r\nHost: i\r\n", b"X: y\r\n"),
        (b"GET / HTTP/1.1\r\nHost: i\r\nX: ", b" "),
        (b"GET / HTTP/1.1\r\nHost: i\r\nX", b"x"),
        (b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
        (
            b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1;aaaaaaaaaaaaaaaa\r\nx\r\n",
        ),
        (b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"y"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_everything_but_a_body_is_limited(begin: bytes, endless: bytes, size: int) -> None:
    """After ``LIMIT`` bytes outside the body, a request is refused, however it is split."""
    reader = RequestReader(LIMIT)
    data = begin + endless * (4 * LIMIT // len(endless))
    fed = content = 0

    def feed_all() -> None:
        nonlocal fed, content
        head = None
        while fed < len(data):
            reader.feed(data[fed : fed + size])
            fed += size
            head = head or reader.head()
            content += len(reader.body()[0]) if head else 0

    with pytest.raises(HeadTooLargeError):
        feed_all()
    assert fed - content <= LIMIT + 2 * size
    assert reader.pending <= LIMIT + size


@pytest.mark.parametrize("chunk", [40, 700, 4096])
def test_the_limit_applies_to_each_request(chunk: int) -> None:
    """A connection of many requests never reaches it, and bodies don't count."""
    reader = RequestReader(1024)
    chance = random.Random(chunk)  # noqa: S311  # reproducible
    for _ in range(10):
        body = chance.randbytes(5000)
        data = b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\n"
        for at in range(0, len(body), chunk):
            part = body[at : at + chunk]
            data += b"%x\r\n%s\r\n" % (len(part), part)
        reader.feed(data + b"0\r\n\r\n")
        assert reader.head() is not None
        assert reader.body() == (body, True)
