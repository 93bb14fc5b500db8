"""Every phase of a connection has a deadline, and slow clients do not harm good ones."""

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import pytest

from tests.hostile.sockets.conftest import STRICT
from tests.hostile.sockets.impact import assert_no_impact
from tests.hostile.sockets.server import Responses, Server

pytestmark = pytest.mark.alone

#: The tolerance for the periodic check of deadlines on a busy machine.
LATE_S = 1.0
#: The attacker's pause, which leaves processor time for the good client.
FLOOD_PAUSE_S = 0.01
BEGIN = b"POST / HTTP/1.1\r\nHost: i\r\n"
CHUNKED = BEGIN + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECTING = BEGIN + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"


def trickle(connection: socket.socket, byte: bytes, seconds: float) -> None:
    """Sends a byte every 50 ms until the time is over or the server closes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            connection.sendall(byte)
        except OSError:
            return
        time.sleep(0.05)


@dataclass(frozen=True)
class Stall:
    """A client that starts a request and then sends byte by byte or nothing."""

    begin: bytes
    more: bytes
    after_s: float
    slug: str | None

    def run(self, server: Server) -> None:
        """Expects a 408 if a request had begun, and a connection closed at the deadline."""
        started = time.monotonic()
        with server.connect() as connection:
            connection.sendall(self.begin)
            if self.more:
                trickle(connection, self.more, self.after_s + LATE_S)
            responses = Responses(connection)
            if self.slug is not None:
                response = responses.next()
                assert response.status == 408, self
                assert json.loads(response.body)["type"] == f"/problems/{self.slug}", self
                assert response.headers["connection"] == "close", self
                assert response.headers["x-request-id"], self
            assert responses.end(), self
        assert self.after_s * 0.9 <= time.monotonic() - started, self
        assert time.monotonic() - started <= self.after_s + 2 * LATE_S, self


STALLS = (
    Stall(b"", b"", STRICT.head_s, None),
    Stall(BEGIN, b"", STRICT.head_s, "head-too-slow"),
    Stall(b"POST / HT", b"", STRICT.head_s, "head-too-slow"),
    Stall(BEGIN + b"X: ", b"x", STRICT.head_s, "head-too-slow"),
    Stall(b"", b"\r\n", STRICT.head_s, None),
    Stall(BEGIN + b"Content-Length: 100\r\n\r\n", b"", STRICT.body_s, "body-too-slow"),
    Stall(BEGIN + b"Content-Length: 100\r\n\r\n", b"x", STRICT.body_s, "body-too-slow"),
    Stall(CHUNKED, b"", STRICT.body_s, "body-too-slow"),
    Stall(CHUNKED + b"2;", b"x", STRICT.body_s, "body-too-slow"),
    Stall(CHUNKED + b"0\r\nX: ", b"x", STRICT.body_s, "body-too-slow"),
    Stall(EXPECTING, b"", STRICT.body_s, "body-too-slow"),
)


def test_a_stalled_head_or_body_times_out(strict_server: Server) -> None:
    """Every stalled client is disconnected at its deadline; all of them run at once."""
    with ThreadPoolExecutor(len(STALLS)) as clients:
        running = [clients.submit(stall.run, strict_server) for stall in STALLS]
    for each in running:
        each.result()


def test_the_next_heads_deadline_starts_at_its_first_byte(strict_server: Server) -> None:
    """The idle time before it doesn't count."""
    with strict_server.connect() as connection:
        responses = Responses(connection)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: i\r\n\r\n")
        assert responses.next().status == 200
        connection.sendall(BEGIN)
        response = responses.next()
        assert response.status == 408
        assert json.loads(response.body)["type"] == "/problems/head-too-slow"


def test_a_response_after_the_deadline_is_discarded(strict_server: Server) -> None:
    """The application responds after the client already got its 408, and nothing fails."""
    with strict_server.connect() as connection:
        connection.sendall(b"POST /hold-unread HTTP/1.1\r\nHost: i\r\nContent-Length: 9\r\n\r\n")
        responses = Responses(connection)
        assert responses.next().status == 408
        with strict_server.connect() as other:
            other.sendall(b"GET /release HTTP/1.1\r\nHost: i\r\n\r\n")
            assert Responses(other).next().status == 200
        assert responses.end()
    assert not [line for line in strict_server.log.read_text().splitlines() if "Exception" in line]


def test_an_idle_connection_is_closed(strict_server: Server) -> None:
    """It is closed at the keep-alive deadline after its last response, without another response."""
    with strict_server.connect() as connection:
        responses = Responses(connection)
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: i\r\n\r\n")
            assert responses.next().status == 200
        started = time.monotonic()
        assert responses.end()
    assert STRICT.keep_alive_s * 0.9 <= time.monotonic() - started <= STRICT.keep_alive_s + LATE_S


def test_a_slow_handler_is_never_timed_out(strict_server: Server) -> None:
    """The client waits for the server, so no client deadline applies."""
    with strict_server.connect() as waiting:
        waiting.sendall(b"GET /hold HTTP/1.1\r\nHost: i\r\n\r\n")
        time.sleep(STRICT.keep_alive_s + STRICT.body_s)
        with strict_server.connect() as other:
            other.sendall(b"GET /release HTTP/1.1\r\nHost: i\r\n\r\n")
            assert Responses(other).next().status == 200
        assert Responses(waiting).next().status == 200


@pytest.mark.parametrize(("requests", "slowly"), [(1, False), (5, True)])
def test_a_response_that_is_not_read_times_out(
    strict_server: Server, *, requests: int, slowly: bool
) -> None:
    """A client that reads nothing or very slowly is disconnected at the deadline."""
    before = strict_server.closed("response_timeout")
    with strict_server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: i\r\n\r\n" * requests)
        started = time.monotonic()
        while strict_server.closed("response_timeout") == before:
            assert time.monotonic() < started + STRICT.response_s + LATE_S + 1, "still connected"
            if slowly:
                connection.recv(100)
            time.sleep(0.05)


def test_a_large_response_that_is_read_in_time_is_complete(strict_server: Server) -> None:
    """The next requests on the connection get complete responses too."""
    with strict_server.connect() as connection:
        responses = Responses(connection)
        for _ in range(3):
            connection.sendall(b"GET /big HTTP/1.1\r\nHost: i\r\n\r\n")
            assert len(responses.next().body) == 4 * 2**20


ENDLESS = {
    "empty lines": (b"", b"\r\n"),
    "target": (b"GET /", b"a"),
    "headers": (BEGIN, b"X: y\r\n"),
    "header": (BEGIN + b"X: ", b"y"),
    "extension": (CHUNKED + b"1;", b"a"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
}


@pytest.mark.parametrize(("begin", "endless"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_request_is_refused(
    default_server: Server, begin: bytes, endless: bytes
) -> None:
    """It gets a 431 at the limit, which counts every byte outside the body."""
    with default_server.connect() as connection:
        connection.sendall(begin + endless * (32_768 // len(endless)))
        response = Responses(connection).next()
    assert response.status == 431
    assert json.loads(response.body)["type"] == "/problems/head-too-large"


def test_endless_requests_do_not_harm_a_good_client(default_server: Server) -> None:
    """Requests of 1 MiB each, repeated, leave latency and memory within their limits."""
    floods = cycle(
        [begin + endless * (2**20 // len(endless)) for begin, endless in ENDLESS.values()]
    )
    before = default_server.figures()

    def attack(server: Server) -> None:
        # the server may close the connection before everything is sent
        with server.connect() as connection, contextlib.suppress(OSError):
            connection.sendall(next(floods))
        time.sleep(FLOOD_PAUSE_S)

    assert_no_impact(default_server, attack)
    assert default_server.figures()["rss"] - before["rss"] < 16 * 2**20


def stall_all(server: Server) -> None:
    """Opens 300 connections that stall in every phase; some send byte by byte."""
    stalled = [(server.connect(), STALLS[number % len(STALLS)]) for number in range(300)]
    for connection, stall in stalled:
        connection.sendall(stall.begin)
    for _ in range(12):
        time.sleep(0.1)
        for connection, stall in stalled:
            with contextlib.suppress(OSError):
                connection.sendall(stall.more)
    for connection, _ in stalled:
        connection.close()


def test_slow_clients_do_not_harm_a_good_one(strict_server: Server) -> None:
    """All of them are closed by their deadlines; handles and memory are freed."""
    before = strict_server.figures()
    assert_no_impact(strict_server, stall_all)
    end = time.monotonic() + 3
    while (after := strict_server.figures())["open"] > 1:
        assert time.monotonic() < end, "connections are still open"
    assert after["handles"] <= before["handles"] + 2
    assert after["rss"] - before["rss"] < 32 * 2**20


def test_a_flood_of_refused_requests_does_not_harm_a_good_client(strict_server: Server) -> None:
    """Each gets a 400 and is closed; one log line covers many of them."""
    before = strict_server.figures()
    lines = len(strict_server.lines("connections.closed"))
    floods = (b"NONSENSE\r\n\r\n", b"\x16\x03\x01\x00\r", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    sent = 0

    def attack(server: Server) -> None:
        nonlocal sent
        with server.connect() as connection:
            connection.sendall(floods[sent % 3])
            assert Responses(connection).next().status == 400
            sent += 1
        time.sleep(FLOOD_PAUSE_S)

    assert_no_impact(strict_server, attack)
    assert sent > 50
    assert strict_server.closed("malformed") >= sent
    assert strict_server.figures()["rss"] - before["rss"] < 16 * 2**20
    assert len(strict_server.lines("connections.closed")) - lines <= 2
