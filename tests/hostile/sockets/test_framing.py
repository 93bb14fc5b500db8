"""For every framing, the handler gets exactly the body that was sent, or no request at all."""

import json
import time

import pytest

from tests.hostile.sockets import framings, reference
from tests.hostile.sockets.server import Response, Responses, Server

SEEDS = 700
AMOUNT = b'{"amount":500}'
#: The exact bytes that these clients send between the request line and the framing headers.
CLIENTS = {
    "curl --http2 -d": (
        b"User-Agent: curl/7.88.1\r\nAccept: */*\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
        b"Content-Type: application/json\r\n"
    ),
    "java.net.http.HttpClient": (
        b"Connection: Upgrade, HTTP2-Settings\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
        b"Upgrade: h2c\r\nUser-Agent: Java-http-client/17.0.15\r\n"
        b"Content-Type: application/json\r\n"
    ),
}
OFFERS = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: upgrade\r\n",
    b"Upgrade: h2c\r\n",
)


def understood(response: Response) -> reference.Request:
    """Returns the request that the handler got, in the reference's form."""
    assert response.status == 200, response
    got = json.loads(response.body)
    target = got["target"] + (f"?{got['query']}" if got["query"] else "")
    headers = tuple((name, value) for name, value in got["headers"])
    return reference.Request(
        got["method"], target, headers, got["body"].encode("latin-1"), last=False
    )


def compare(server: Server, seed: int) -> int:
    """Sends one stream and compares; returns how many of its requests reached the handler."""
    data = framings.stream(seed)
    expected = reference.read(data)
    with server.connect() as connection:
        for number, piece in enumerate(framings.pieces(seed, data)):
            if number and seed % 7 == 0:
                time.sleep(0.0005)  # makes the piece arrive separately
            try:
                connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break  # refused already
        responses = Responses(connection)
        for request in expected.requests:
            found = understood(responses.next())
            assert found.method == request.method, (seed, data)
            assert found.target == request.target.removesuffix("?"), (seed, data)
            assert found.headers == request.headers, (seed, data)
            assert found.body == request.body, (seed, data)
        if expected.rest == "refused":
            assert 400 <= responses.next().status < 500, (seed, data)
        if expected.rest in {"refused", "ignored"}:
            assert responses.end(), (seed, data)
    return len(expected.requests)


def test_every_framing_is_handled_as_the_reference_reads_it(default_server: Server) -> None:
    """Streams of valid and invalid requests, split anywhere, give the reference's requests."""
    before = default_server.figures()["handled"]
    sent = sum(compare(default_server, seed) for seed in range(SEEDS))
    assert sent > SEEDS
    # no incomplete or refused request was handled
    assert default_server.figures()["handled"] - before == sent


@pytest.mark.parametrize("head", [*CLIENTS.values(), *OFFERS])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_an_offer_to_upgrade_is_ignored(
    default_server: Server, head: bytes, *, chunked: bool, apart: bool
) -> None:
    """The handler gets the body that was sent, and the connection stays HTTP/1.1."""
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 14"
    body = b"e\r\n" + AMOUNT + b"\r\n0\r\n\r\n" if chunked else AMOUNT
    whole = b"POST /refunds HTTP/1.1\r\nHost: i\r\n" + head + length + b"\r\n\r\n"
    with default_server.connect() as connection:
        responses = Responses(connection)
        for _ in range(2):
            connection.sendall(whole)
            if apart:
                time.sleep(0.01)
            connection.sendall(body)
            assert understood(responses.next()).body == AMOUNT


def test_a_client_that_expects_100_continue_gets_it(default_server: Server) -> None:
    """The client then sends the body and gets the final response."""
    with default_server.connect() as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: i\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(AMOUNT)
        assert understood(Responses(connection).next()).body == AMOUNT


def test_a_final_response_instead_of_100_continue_ends_the_connection(
    default_server: Server,
) -> None:
    """The server can't know whether a body follows, so it reads no further request."""
    with default_server.connect() as connection:
        connection.sendall(
            b"POST /early HTTP/1.1\r\nHost: i\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n"
        )
        responses = Responses(connection)
        response = responses.next()
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert responses.end()


def test_a_response_before_the_body_keeps_the_connection_usable(default_server: Server) -> None:
    """The body that arrives later is not read as a request."""
    body = b"GET /smuggled HTTP/1.1\r\nHost: i\r\n\r\n"
    with default_server.connect() as connection:
        responses = Responses(connection)
        connection.sendall(
            b"POST /early HTTP/1.1\r\nHost: i\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert responses.next().status == 200
        connection.sendall(body + b"GET /next HTTP/1.1\r\nHost: i\r\n\r\n")
        assert understood(responses.next()).target == "/next"


def release(server: Server) -> None:
    """Lets all waiting requests continue."""
    with server.connect() as connection:
        connection.sendall(b"GET /release HTTP/1.1\r\nHost: i\r\n\r\n")
        assert Responses(connection).next().status == 200


def test_pipelined_requests_are_handled_in_order(default_server: Server) -> None:
    """A request that arrives while another is being handled waits for its response."""
    with default_server.connect() as connection:
        connection.sendall(b"POST /hold HTTP/1.1\r\nHost: i\r\nContent-Length: 5\r\n\r\nfirst")
        time.sleep(0.1)
        connection.sendall(b"POST /second HTTP/1.1\r\nHost: i\r\nContent-Length: 6\r\n\r\nsecond")
        time.sleep(0.1)
        release(default_server)
        responses = Responses(connection)
        found = [understood(responses.next()) for _ in range(2)]
    assert [(each.target, each.body) for each in found] == [
        ("/hold", b"first"),
        ("/second", b"second"),
    ]


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"GET /hold HTTP/1.1\r\nHost: i\r\n\r\n", b"GET / HTTP/1.1\r\nHost: i\r\n\r\n" * 40_000),
        (
            b"POST /hold-unread HTTP/1.1\r\nHost: i\r\nContent-Length: 100000000\r\n\r\n",
            b"x" * 1_000_000,
        ),
    ],
    ids=["requests", "a body"],
)
def test_waiting_data_applies_backpressure(
    default_server: Server, first: bytes, more: bytes
) -> None:
    """The sender blocks, and the server's memory does not grow."""
    before = default_server.figures()
    with default_server.connect() as connection:
        connection.sendall(first)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.sendall(more * 64)
        assert default_server.figures()["rss"] - before["rss"] < 8 * 2**20
    release(default_server)


@pytest.mark.parametrize(
    ("begin", "status"),
    [
        (b"POST /early HTTP/1.1\r\nHost: i\r\nContent-Length: 100000000\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nHost: i\r\nContent-Length: a\r\n\r\n", 400),
    ],
)
def test_an_unwanted_body_is_dropped_up_to_a_limit(
    default_server: Server, begin: bytes, status: int
) -> None:
    """After the response, the server discards a limited part of the body, and then closes."""
    with default_server.connect() as connection:
        connection.sendall(begin)
        assert Responses(connection).next().status == status
        for _ in range(5):
            connection.sendall(b"x" * 10_000)
            time.sleep(0.02)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.sendall(b"x" * 64_000_000)


def test_a_truncated_body_never_reaches_the_handler(default_server: Server) -> None:
    """If the client disconnects before the declared end, the handler gets only a disconnect."""
    before = default_server.figures()
    wholes = (
        b"POST / HTTP/1.1\r\nHost: i\r\nContent-Length: 14\r\n\r\n" + AMOUNT,
        b"POST / HTTP/1.1\r\nHost: i\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n"
        + AMOUNT
        + b"\r\n0\r\n\r\n",
    )
    truncated = [whole[:-missing] for whole in wholes for missing in (1, 2, 5, 14)]
    for part in truncated:
        with default_server.connect() as connection:
            connection.sendall(part)
    end = time.monotonic() + 5
    while (after := default_server.figures())["gone"] - before["gone"] < len(truncated):
        assert time.monotonic() < end, "the handler still waits"
    assert after["handled"] == before["handled"]
    assert after["gone"] - before["gone"] == len(truncated)


def test_a_refusal_is_a_problem_document(default_server: Server) -> None:
    """Its detail names the header, although the protocol and not the application refused it."""
    with default_server.connect() as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: i\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
        )
        response = Responses(connection).next()
    assert response.headers["content-type"] == "application/problem+json"
    problem = json.loads(response.body)
    assert (problem["status"], problem["type"]) == (400, "/problems/malformed-request")
    assert "content-length" in problem["detail"]


@pytest.mark.parametrize("host", [None, b"", b" ", b"a b/@", b"user@a", b"a/b", b"a:b", b"[::1"])
def test_a_request_for_no_host_is_refused(default_server: Server, host: bytes | None) -> None:
    """RFC 9112 requires it: a proxy in front may have chosen its target by that header."""
    line = b"" if host is None else b"Host: " + host + b"\r\n"
    before = default_server.figures()["handled"]
    with default_server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + line + b"Content-Length: 14\r\n\r\n" + AMOUNT)
        response = Responses(connection).next()
    assert response.status == 400
    assert "Host" in json.loads(response.body)["detail"]
    assert default_server.figures()["handled"] == before


@pytest.mark.parametrize("host", [b"a", b"a.example:8080", b"[::1]:80", b"127.0.0.1", b"a_b"])
def test_a_host_is_a_name_or_an_address(default_server: Server, host: bytes) -> None:
    """It may have a port. HTTP/1.0 has no such header."""
    for version, line in ((b"1.1", b"Host: " + host + b"\r\n"), (b"1.0", b"")):
        with default_server.connect() as connection:
            connection.sendall(b"GET / HTTP/" + version + b"\r\n" + line + b"\r\n")
            assert Responses(connection).next().status == 200
