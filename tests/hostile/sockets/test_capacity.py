"""More connections than there is room for: the one that waits longest for its client goes."""

import contextlib
import json
import resource
import socket
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from ingress.http import open_files
from tests.hostile.sockets.beside import assert_unnoticed
from tests.hostile.sockets.conftest import FULL, TIGHT
from tests.hostile.sockets.server import Answers, Server

pytestmark = pytest.mark.alone

HELLO = b"GET /hello HTTP/1.1\r\n\r\n"


@pytest.fixture(autouse=True)
def many_handles() -> Iterator[None]:
    """The attacker needs more of them than the server has."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if open_files.raise_limit(3000) < 3000:
        pytest.skip("this machine allows too few open files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def until(condition: Callable[[], bool]) -> None:
    """Returns once it holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.02)


def open_still(connection: socket.socket) -> bool:
    """Whether the server has not closed it."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(65_536))
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(10)


def answered(connection: socket.socket, request: bytes = HELLO) -> bool:
    """Whether a request is answered on it."""
    connection.sendall(request)
    return Answers(connection).next().status == 200


BEGINNINGS = (b"", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")


def paced(connections: Iterable[socket.socket]) -> Iterator[socket.socket]:
    """A thousand in a second: the client beside them is to have some of the two processors."""
    for number, connection in enumerate(connections):
        yield connection
        if number % 10 == 0:
            time.sleep(0.01)


def test_more_idle_connections_than_open_files_stop_no_client(full: Server) -> None:
    """1,300 with 1,024 handles: a good client goes on, the log and a metric say what is done.

    They are silent, in a head or in a body. Memory and handles come back.
    """

    def attack(server: Server) -> None:
        connections = []
        for connection in paced(server.connect() for _ in range(1300)):
            connections.append(connection)
            with contextlib.suppress(OSError):  # it may have had to go already
                connection.sendall(BEGINNINGS[len(connections) % 3])
        figures = server.figures()
        assert figures["open"] <= FULL.connections + 40
        assert figures["handles"] < 1024
        for connection in paced(connections):
            connection.close()

    before = full.figures()
    assert_unnoticed(full, attack)
    assert full.closed("evicted") >= 1300 - FULL.connections
    until(lambda: bool(full.lines("connections.closed")))
    assert any("evicted" in line["closed"] for line in full.lines("connections.closed"))
    until(lambda: full.figures()["open"] == 1)
    after = full.figures()
    assert after["handles"] <= before["handles"] + 2
    assert after["rss"] - before["rss"] < 48 * 2**20


def test_the_longest_idle_connection_goes_first(tight: Server) -> None:
    """The one that was answered last is the youngest; a trickle of bytes makes none younger."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(tight.connect()) for _ in range(TIGHT.connections)]
        trickling, oldest, *_, youngest = others
        trickling.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert all(answered(connection) for connection in others[1:])
        assert answered(oldest)
        trickling.sendall(b"x")
        one = stack.enter_context(tight.connect())
        assert answered(one)
        until(lambda: not open_still(trickling))
        assert open_still(oldest)
        another = stack.enter_context(tight.connect())
        assert answered(another)
        until(lambda: not open_still(others[2]))
        assert all(answered(each) for each in (oldest, youngest, one, another, *others[3:]))


def test_a_request_under_way_is_never_closed_for_another(tight: Server) -> None:
    """Where there are only such, the newest connection is answered 503, and may come again."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(tight.connect()) for _ in range(TIGHT.connections - 1)]
        for connection in held:
            connection.sendall(b"GET /hold HTTP/1.1\r\n\r\n")
        release = stack.enter_context(tight.connect())
        # a part of a request, which waits for its client, has to make room
        release.sendall(b"GET /rel")
        last = stack.enter_context(tight.connect())
        last.sendall(b"GET /hold HTTP/1.1\r\n\r\n")
        answer = Answers(release).next()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        until(lambda: answered_by_503(tight))
        for connection in (*held, last):
            assert open_still(connection)
        held[0].sendall(HELLO)  # it waits for its turn
        held[1].close()
        until(lambda: not answered_by_503(tight, release=True))
        for connection in (held[0], *held[2:], last):
            assert Answers(connection).next().status == 200


def test_unread_answers_make_room(tight: Server) -> None:
    """Also after ``Connection: close``, and where several wait for their turn."""
    requests = (
        b"GET /big HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /big HTTP/1.1\r\n\r\n",
        b"GET /big HTTP/1.1\r\n\r\n" * 3,
    )
    with contextlib.ExitStack() as stack:
        for number in range(3 * TIGHT.connections):
            connection = stack.enter_context(tight.connect())
            connection.sendall(requests[number % 3])
            until(lambda: not answered_by_503(tight))
        assert tight.figures()["open"] <= TIGHT.connections + 2


def test_many_that_close_at_once_get_their_answers(full: Server) -> None:
    """A connection that is to end is not ended before its answer is out."""
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(full.connect()) for _ in range(300)]
        for _ in range(2):
            for connection in every:
                connection.sendall(b"GET /hold HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert answered(stack.enter_context(full.connect()), b"GET /release HTTP/1.1\r\n\r\n")
        for connection in every:
            assert Answers(connection).next().status == 200


def test_an_idle_connection_keeps_nothing_of_what_it_sent(full: Server) -> None:
    """400 of them, each after a body of 60 kB, which arrives in one piece."""
    body = b"x" * 60_000
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with contextlib.ExitStack() as stack:
        assert answered(stack.enter_context(full.connect()), request)
        before = full.figures()
        for _ in range(400):
            assert answered(stack.enter_context(full.connect()), request)
        assert full.figures()["rss"] - before["rss"] < 12 * 2**20


def answered_by_503(server: Server, *, release: bool = False) -> bool:
    """Whether a new connection is refused; otherwise its request is answered."""
    with server.connect() as connection:
        connection.sendall(b"GET /release HTTP/1.1\r\n\r\n" if release else HELLO)
        answer = Answers(connection).next()
        if answer.status == 503:
            assert json.loads(answer.body)["type"] == "/problems/too-many-connections"
        return answer.status == 503


def test_no_handle_left_is_said_and_gets_over(tight: Server) -> None:
    """Something else takes every handle: idle connections make room; then all is as before."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(tight.connect()) for _ in range(TIGHT.connections - 1)]
        assert all(answered(connection) for connection in others)
        hog = stack.enter_context(tight.connect())
        assert answered(hog, b"GET /hog HTTP/1.1\r\n\r\n")
        until(lambda: bool(tight.lines(FEWER)))
        until(lambda: not any(open_still(connection) for connection in others))
        assert answered(hog, b"GET /unhog HTTP/1.1\r\n\r\n")
        until(lambda: tight.figures()["handles"] < 100)
        until(lambda: _room_for(tight, TIGHT.connections))
    assert tight.closed("evicted") >= TIGHT.connections - 1


FEWER = "fewer connections are possible: other files are open, up to the limit of files"


def _room_for(server: Server, number: int) -> bool:
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(server.connect()) for _ in range(number)]
        try:
            return all(answered(connection) for connection in others)
        except (EOFError, OSError):
            return False
