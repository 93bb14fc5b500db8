"""Every phase of a connection has its end, and a client that does well does not notice."""

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import pytest

from tests.hostile.sockets.beside import assert_unnoticed
from tests.hostile.sockets.conftest import HASTY
from tests.hostile.sockets.server import Answers, Server

pytestmark = pytest.mark.alone

#: How late the look at all connections may come on a busy machine.
LATE_S = 1.0
#: The attacker leaves the machine's two processors some time for the client beside it.
FLOOD_PAUSE_S = 0.01
BEGIN = b"POST / HTTP/1.1\r\nHost: i\r\n"
CHUNKED = BEGIN + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECTING = BEGIN + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"


def trickle(connection: socket.socket, byte: bytes, seconds: float) -> None:
    """A byte every 50 ms, for so long, or until the server closes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            connection.sendall(byte)
        except OSError:
            return
        time.sleep(0.05)


@dataclass(frozen=True)
class Stall:
    """A client that begins, and goes on with a byte at a time, or not at all."""

    begin: bytes
    more: bytes
    after_s: float
    slug: str | None

    def meet(self, server: Server) -> None:
        """408 where a request had begun, and the connection is closed in time, not before."""
        started = time.monotonic()
        with server.connect() as connection:
            connection.sendall(self.begin)
            if self.more:
                trickle(connection, self.more, self.after_s + LATE_S)
            answers = Answers(connection)
            if self.slug is not None:
                answer = answers.next()
                assert answer.status == 408, self
                assert json.loads(answer.body)["type"] == f"/problems/{self.slug}", self
                assert answer.headers["connection"] == "close", self
                assert answer.headers["x-request-id"], self
            assert answers.end(), self
        assert self.after_s * 0.9 <= time.monotonic() - started, self
        assert time.monotonic() - started <= self.after_s + 2 * LATE_S, self


STALLS = (
    Stall(b"", b"", HASTY.head_s, None),
    Stall(BEGIN, b"", HASTY.head_s, "head-too-slow"),
    Stall(b"POST / HT", b"", HASTY.head_s, "head-too-slow"),
    Stall(BEGIN + b"X: ", b"x", HASTY.head_s, "head-too-slow"),
    Stall(b"", b"\r\n", HASTY.head_s, None),
    Stall(BEGIN + b"Content-Length: 100\r\n\r\n", b"", HASTY.body_s, "body-too-slow"),
    Stall(BEGIN + b"Content-Length: 100\r\n\r\n", b"x", HASTY.body_s, "body-too-slow"),
    Stall(CHUNKED, b"", HASTY.body_s, "body-too-slow"),
    Stall(CHUNKED + b"2;", b"x", HASTY.body_s, "body-too-slow"),
    Stall(CHUNKED + b"0\r\nX: ", b"x", HASTY.body_s, "body-too-slow"),
    Stall(EXPECTING, b"", HASTY.body_s, "body-too-slow"),
)


def test_what_is_not_there_in_time_is_given_up(hasty: Server) -> None:
    """A head, and a body, in whatever place it stops: all of them at once."""
    with ThreadPoolExecutor(len(STALLS)) as clients:
        met = [clients.submit(stall.meet, hasty) for stall in STALLS]
    for each in met:
        each.result()


def test_the_next_head_has_its_time_from_its_first_byte(hasty: Server) -> None:
    """Not what is left of the idle connection's."""
    with hasty.connect() as connection:
        answers = Answers(connection)
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert answers.next().status == 200
        connection.sendall(BEGIN)
        answer = answers.next()
        assert answer.status == 408
        assert json.loads(answer.body)["type"] == "/problems/head-too-slow"


def test_the_application_learns_at_once_that_a_request_is_given_up(hasty: Server) -> None:
    """It may answer later, without having read the body: nobody gets that, and nothing fails."""
    with hasty.connect() as connection:
        connection.sendall(b"POST /hold-unread HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        answers = Answers(connection)
        assert answers.next().status == 408
        with hasty.connect() as other:
            other.sendall(b"GET /release HTTP/1.1\r\n\r\n")
            assert Answers(other).next().status == 200
        assert answers.end()
    assert not [line for line in hasty.log.read_text().splitlines() if "Exception" in line]


def test_an_idle_connection_is_closed(hasty: Server) -> None:
    """After its last answer, not before its time, and without another word."""
    with hasty.connect() as connection:
        answers = Answers(connection)
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert answers.next().status == 200
        started = time.monotonic()
        assert answers.end()
    assert HASTY.keep_alive_s * 0.9 <= time.monotonic() - started <= HASTY.keep_alive_s + LATE_S


def test_a_request_under_way_has_no_deadline_of_its_client(hasty: Server) -> None:
    """It is the server that takes its time, so the answer comes, however late."""
    with hasty.connect() as held:
        held.sendall(b"GET /hold HTTP/1.1\r\n\r\n")
        time.sleep(HASTY.keep_alive_s + HASTY.body_s)
        with hasty.connect() as other:
            other.sendall(b"GET /release HTTP/1.1\r\n\r\n")
            assert Answers(other).next().status == 200
        assert Answers(held).next().status == 200


@pytest.mark.parametrize(("requests", "slowly"), [(1, False), (5, True)])
def test_an_answer_that_is_not_taken_is_given_up(
    hasty: Server, *, requests: int, slowly: bool
) -> None:
    """A client that reads nothing, or hardly anything, holds neither memory nor a connection."""
    before = hasty.closed("response_timeout")
    with hasty.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /big HTTP/1.1\r\n\r\n" * requests)
        started = time.monotonic()
        while hasty.closed("response_timeout") == before:
            assert time.monotonic() < started + HASTY.response_s + LATE_S + 1, "it still waits"
            if slowly:
                connection.recv(100)
            time.sleep(0.05)


def test_an_answer_that_is_taken_in_time_is_whole(hasty: Server) -> None:
    """However large; and the next request is answered too."""
    with hasty.connect() as connection:
        answers = Answers(connection)
        for _ in range(3):
            connection.sendall(b"GET /big HTTP/1.1\r\n\r\n")
            assert len(answers.next().body) == 4 * 2**20


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
def test_what_has_no_end_is_refused(patient: Server, begin: bytes, endless: bytes) -> None:
    """431 after the limit, all bytes counted."""
    with patient.connect() as connection:
        connection.sendall(begin + endless * (32_768 // len(endless)))
        answer = Answers(connection).next()
    assert answer.status == 431
    assert json.loads(answer.body)["type"] == "/problems/head-too-large"


def test_floods_without_end_take_nothing_from_a_good_client(patient: Server) -> None:
    """A megabyte of each, over and over: memory stays, and a good client notices nothing."""
    floods = cycle(
        [begin + endless * (2**20 // len(endless)) for begin, endless in ENDLESS.values()]
    )
    before = patient.figures()

    def attack(server: Server) -> None:
        # it may be closed before all is sent
        with server.connect() as connection, contextlib.suppress(OSError):
            connection.sendall(next(floods))
        time.sleep(FLOOD_PAUSE_S)

    assert_unnoticed(patient, attack)
    assert patient.figures()["rss"] - before["rss"] < 16 * 2**20


def stall_all(server: Server) -> None:
    """300 connections, each stopped in another phase, some with a byte at a time."""
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


def test_slow_clients_take_nothing_from_a_good_one(hasty: Server) -> None:
    """All of them are closed by their deadlines; handles and memory are free again."""
    before = hasty.figures()
    assert_unnoticed(hasty, stall_all)
    end = time.monotonic() + 3
    while (after := hasty.figures())["open"] > 1:
        assert time.monotonic() < end, "they are still open"
    assert after["handles"] <= before["handles"] + 2
    assert after["rss"] - before["rss"] < 32 * 2**20


def test_refused_requests_in_a_flood_take_nothing_from_a_good_client(hasty: Server) -> None:
    """Each is answered and closed, and the log has a line for many of them."""
    before = hasty.figures()
    lines = len(hasty.lines("connections.closed"))
    floods = (b"NONSENSE\r\n\r\n", b"\x16\x03\x01\x00\r", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    sent = 0

    def attack(server: Server) -> None:
        nonlocal sent
        with server.connect() as connection:
            connection.sendall(floods[sent % 3])
            assert Answers(connection).next().status == 400
            sent += 1
        time.sleep(FLOOD_PAUSE_S)

    assert_unnoticed(hasty, attack)
    assert sent > 50
    assert hasty.closed("malformed") >= sent
    assert hasty.figures()["rss"] - before["rss"] < 16 * 2**20
    assert len(hasty.lines("connections.closed")) - lines <= 2
