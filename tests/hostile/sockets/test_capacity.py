"""At the limit on connections, the server closes the one that has waited longest for its client."""

import contextlib
import json
import resource
import socket
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from ingress.http import open_files
from tests.hostile.sockets.conftest import FULL, TIGHT
from tests.hostile.sockets.impact import assert_no_impact
from tests.hostile.sockets.server import Responses, Server

pytestmark = pytest.mark.alone

HELLO = b"GET /hello HTTP/1.1\r\nHost: i\r\n\r\n"


@pytest.fixture(autouse=True)
def many_handles() -> Iterator[None]:
    """The attacker needs more file handles than the server has."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if open_files.raise_limit(3000) < 3000:
        pytest.skip("this machine allows too few open files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def is_open(connection: socket.socket) -> bool:
    """Returns whether the server has not closed the connection."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(65_536))
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(10)


def gets_200(connection: socket.socket, request: bytes = HELLO) -> bool:
    """Returns whether a request on the connection gets a 200."""
    connection.sendall(request)
    return Responses(connection).next().status == 200


BEGINNINGS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: i\r\nX: ",
    b"POST / HTTP/1.1\r\nHost: i\r\nContent-Length: 9\r\n\r\nx",
)


def paced(connections: Iterable[socket.socket]) -> Iterator[socket.socket]:
    """Yields a thousand connections a second, which leaves processor time for the good client."""
    for number, connection in enumerate(connections):
        yield connection
        if number % 10 == 0:
            time.sleep(0.01)


def test_more_idle_connections_than_open_files_stop_no_client(full: Server) -> None:
    """1,300 idle connections to a server with 1,024 handles do not harm a good client.

    They idle before a head, in a head, or in a body. The log and a metric report the evictions.
    Memory and handles are freed.
    """

    def attack(server: Server) -> None:
        connections = []
        for connection in paced(server.connect() for _ in range(1300)):
            connections.append(connection)
            with contextlib.suppress(OSError):  # the server may have evicted it already
                connection.sendall(BEGINNINGS[len(connections) % 3])
        figures = server.figures()
        assert figures["open"] <= FULL.connections + 40
        assert figures["handles"] < 1024
        for connection in paced(connections):
            connection.close()

    before = full.figures()
    assert_no_impact(full, attack)
    assert full.closed("evicted") >= 1300 - FULL.connections
    until(lambda: bool(full.lines("connections.closed")))
    assert any("evicted" in line["closed"] for line in full.lines("connections.closed"))
    until(lambda: full.figures()["open"] == 1)
    after = full.figures()
    assert after["handles"] <= before["handles"] + 2
    assert after["rss"] - before["rss"] < 48 * 2**20


def test_the_longest_idle_connection_goes_first(tight: Server) -> None:
    """Idle time counts from the last response; incomplete requests don't reset it."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(tight.connect()) for _ in range(TIGHT.connections)]
        trickling, oldest, *_, youngest = others
        trickling.sendall(b"GET / HTTP/1.1\r\nHost: i\r\nX: ")
        assert all(gets_200(connection) for connection in others[1:])
        assert gets_200(oldest)
        trickling.sendall(b"x")
        one = stack.enter_context(tight.connect())
        assert gets_200(one)
        until(lambda: not is_open(trickling))
        assert is_open(oldest)
        another = stack.enter_context(tight.connect())
        assert gets_200(another)
        until(lambda: not is_open(others[2]))
        assert all(gets_200(each) for each in (oldest, youngest, one, another, *others[3:]))


def test_a_request_in_progress_is_never_evicted(tight: Server) -> None:
    """If every connection has one, a new connection gets a 503 and may retry."""
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(tight.connect()) for _ in range(TIGHT.connections - 1)]
        for connection in busy:
            connection.sendall(b"GET /hold HTTP/1.1\r\nHost: i\r\n\r\n")
        release = stack.enter_context(tight.connect())
        # an incomplete request waits for its client, so it is evicted
        release.sendall(b"GET /rel")
        last = stack.enter_context(tight.connect())
        last.sendall(b"GET /hold HTTP/1.1\r\nHost: i\r\n\r\n")
        response = Responses(release).next()
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        until(lambda: is_refused(tight))
        for connection in (*busy, last):
            assert is_open(connection)
        busy[0].sendall(HELLO)  # a pipelined request, which waits for the first response
        busy[1].close()
        until(lambda: not is_refused(tight, release=True))
        for connection in (busy[0], *busy[2:], last):
            assert Responses(connection).next().status == 200


def test_connections_with_unread_responses_are_evicted(tight: Server) -> None:
    """This includes connections with ``Connection: close`` or with pipelined requests."""
    requests = (
        b"GET /big HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n",
        b"GET /big HTTP/1.1\r\nHost: i\r\n\r\n",
        b"GET /big HTTP/1.1\r\nHost: i\r\n\r\n" * 3,
    )
    with contextlib.ExitStack() as stack:
        for number in range(3 * TIGHT.connections):
            connection = stack.enter_context(tight.connect())
            connection.sendall(requests[number % 3])
            until(lambda: not is_refused(tight))
        assert tight.figures()["open"] <= TIGHT.connections + 2


def test_many_closing_connections_get_their_responses(full: Server) -> None:
    """A connection with ``Connection: close`` ends only after its response is sent."""
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(full.connect()) for _ in range(300)]
        for _ in range(2):
            for connection in every:
                connection.sendall(b"GET /hold HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n")
        assert gets_200(
            stack.enter_context(full.connect()), b"GET /release HTTP/1.1\r\nHost: i\r\n\r\n"
        )
        for connection in every:
            assert Responses(connection).next().status == 200


def test_an_idle_connection_keeps_no_request_in_memory(full: Server) -> None:
    """400 idle connections, each after a body of 60 kB, use less than 12 MiB."""
    body = b"x" * 60_000
    request = b"POST / HTTP/1.1\r\nHost: i\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with contextlib.ExitStack() as stack:
        assert gets_200(stack.enter_context(full.connect()), request)
        before = full.figures()
        for _ in range(400):
            assert gets_200(stack.enter_context(full.connect()), request)
        assert full.figures()["rss"] - before["rss"] < 12 * 2**20


def is_refused(server: Server, *, release: bool = False) -> bool:
    """Returns whether a new connection gets a 503."""
    with server.connect() as connection:
        connection.sendall(b"GET /release HTTP/1.1\r\nHost: i\r\n\r\n" if release else HELLO)
        response = Responses(connection).next()
        if response.status == 503:
            assert json.loads(response.body)["type"] == "/problems/too-many-connections"
        return response.status == 503


def test_the_server_recovers_from_running_out_of_handles(tight: Server) -> None:
    """It logs the shortage and evicts idle connections; later it accepts as many as before."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(tight.connect()) for _ in range(TIGHT.connections - 1)]
        assert all(gets_200(connection) for connection in others)
        hog = stack.enter_context(tight.connect())
        assert gets_200(hog, b"GET /hog HTTP/1.1\r\nHost: i\r\n\r\n")
        until(lambda: bool(tight.lines(FEWER)))
        until(lambda: not any(is_open(connection) for connection in others))
        assert gets_200(hog, b"GET /unhog HTTP/1.1\r\nHost: i\r\n\r\n")
        until(lambda: tight.figures()["handles"] < 100)
        until(lambda: _accepts(tight, TIGHT.connections))
    assert tight.closed("evicted") >= TIGHT.connections - 1


FEWER = "connections.fewer"


def _accepts(server: Server, number: int) -> bool:
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(server.connect()) for _ in range(number)]
        try:
            return all(gets_200(connection) for connection in others)
        except (EOFError, OSError):
            return False
