"""Requests of every framing at the socket: the handler gets the body that was sent, or nothing."""

import json
import time

import pytest

from tests.hostile.sockets import framings, reference
from tests.hostile.sockets.server import Answer, Answers, Server

SEEDS = 700
AMOUNT = b'{"amount":500}'
#: What these clients send between the request line and the framing, byte for byte.
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


def understood(answer: Answer) -> reference.Request:
    """What the handler got, in the reference's form."""
    assert answer.status == 200, answer
    said = json.loads(answer.body)
    target = said["target"] + (f"?{said['query']}" if said["query"] else "")
    headers = tuple((name, value) for name, value in said["headers"])
    return reference.Request(
        said["method"], target, headers, said["body"].encode("latin-1"), last=False
    )


def compare(server: Server, seed: int) -> int:
    """Sends one stream; answers how many of its requests must have reached the handler."""
    data = framings.stream(seed)
    expected = reference.read(data)
    with server.connect() as connection:
        for number, piece in enumerate(framings.pieces(seed, data)):
            if number and seed % 7 == 0:
                time.sleep(0.0005)  # so that it arrives by itself
            try:
                connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break  # refused already, and said so
        answers = Answers(connection)
        for request in expected.requests:
            found = understood(answers.next())
            assert found.method == request.method, (seed, data)
            assert found.target == request.target.removesuffix("?"), (seed, data)
            assert found.headers == request.headers, (seed, data)
            assert found.body == request.body, (seed, data)
        if expected.rest == "refused":
            assert 400 <= answers.next().status < 500, (seed, data)
        if expected.rest in {"refused", "ignored"}:
            assert answers.end(), (seed, data)
    return len(expected.requests)


def test_any_framing_reaches_the_handler_as_it_was_sent_or_is_refused(patient: Server) -> None:
    """Streams of requests, right and wrong, cut anywhere, against the reference's reading."""
    before = patient.figures()["handled"]
    sent = sum(compare(patient, seed) for seed in range(SEEDS))
    assert sent > SEEDS
    # nothing but those: no part of an incomplete or refused one was handled
    assert patient.figures()["handled"] - before == sent


@pytest.mark.parametrize("head", [*CLIENTS.values(), *OFFERS])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_an_offer_to_upgrade_is_ignored(
    patient: Server, head: bytes, *, chunked: bool, apart: bool
) -> None:
    """It is answered as HTTP/1.1, with the body that was sent, and the connection goes on."""
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 14"
    body = b"e\r\n" + AMOUNT + b"\r\n0\r\n\r\n" if chunked else AMOUNT
    whole = b"POST /refunds HTTP/1.1\r\nHost: i\r\n" + head + length + b"\r\n\r\n"
    with patient.connect() as connection:
        answers = Answers(connection)
        for _ in range(2):
            connection.sendall(whole)
            if apart:
                time.sleep(0.01)
            connection.sendall(body)
            assert understood(answers.next()).body == AMOUNT


def test_a_client_that_expects_100_continue_gets_it_and_the_answer(patient: Server) -> None:
    """The body is sent after the interim answer."""
    with patient.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(AMOUNT)
        assert understood(Answers(connection).next()).body == AMOUNT


def test_an_answer_instead_of_100_continue_ends_the_connection(patient: Server) -> None:
    """Nobody can know whether a body follows, so nothing after it is read as a request."""
    with patient.connect() as connection:
        connection.sendall(
            b"POST /early HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n"
        )
        answers = Answers(connection)
        answer = answers.next()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert answers.end()


def test_an_answer_before_the_body_leaves_the_connection_usable(patient: Server) -> None:
    """What is left of the body is no request."""
    body = b"GET /smuggled HTTP/1.1\r\n\r\n"
    with patient.connect() as connection:
        answers = Answers(connection)
        connection.sendall(b"POST /early HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert answers.next().status == 200
        connection.sendall(body + b"GET /next HTTP/1.1\r\n\r\n")
        assert understood(answers.next()).target == "/next"


def release(server: Server) -> None:
    """Lets all requests go on that are held."""
    with server.connect() as connection:
        connection.sendall(b"GET /release HTTP/1.1\r\n\r\n")
        assert Answers(connection).next().status == 200


def test_a_request_waits_until_the_one_before_is_answered(patient: Server) -> None:
    """Also where it comes by itself, while the other is under way."""
    with patient.connect() as connection:
        connection.sendall(b"POST /hold HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirst")
        time.sleep(0.1)
        connection.sendall(b"POST /second HTTP/1.1\r\nContent-Length: 6\r\n\r\nsecond")
        time.sleep(0.1)
        release(patient)
        answers = Answers(connection)
        found = [understood(answers.next()) for _ in range(2)]
    assert [(each.target, each.body) for each in found] == [
        ("/hold", b"first"),
        ("/second", b"second"),
    ]


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"GET /hold HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n" * 40_000),
        (b"POST /hold-unread HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n", b"x" * 1_000_000),
    ],
    ids=["requests", "a body"],
)
def test_what_waits_for_its_turn_is_not_taken_in(
    patient: Server, first: bytes, more: bytes
) -> None:
    """The sender is held up, whatever it sends, instead of the server's memory being filled."""
    before = patient.figures()
    with patient.connect() as connection:
        connection.sendall(first)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.sendall(more * 64)
        assert patient.figures()["rss"] - before["rss"] < 8 * 2**20
    release(patient)


@pytest.mark.parametrize(
    ("begin", "status"),
    [
        (b"POST /early HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nContent-Length: a\r\n\r\n", 400),
    ],
)
def test_an_unwanted_body_is_dropped_up_to_a_limit(
    patient: Server, begin: bytes, status: int
) -> None:
    """The answer is out, but its client sends on: enough for it to get there, then it is closed."""
    with patient.connect() as connection:
        connection.sendall(begin)
        assert Answers(connection).next().status == status
        for _ in range(5):
            connection.sendall(b"x" * 10_000)
            time.sleep(0.02)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.sendall(b"x" * 64_000_000)


def test_a_body_that_is_cut_off_never_reaches_the_handler(patient: Server) -> None:
    """The client goes before all is there that it declared: the handler learns just that."""
    before = patient.figures()
    wholes = (
        b"POST / HTTP/1.1\r\nContent-Length: 14\r\n\r\n" + AMOUNT,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n" + AMOUNT + b"\r\n0\r\n\r\n",
    )
    cut_off = [whole[:-lacking] for whole in wholes for lacking in (1, 2, 5, 14)]
    for part in cut_off:
        with patient.connect() as connection:
            connection.sendall(part)
    end = time.monotonic() + 5
    while (after := patient.figures())["gone"] - before["gone"] < len(cut_off):
        assert time.monotonic() < end, "the handler still waits"
    assert after["handled"] == before["handled"]
    assert after["gone"] - before["gone"] == len(cut_off)


def test_a_refusal_is_a_problem_and_says_what_to_change(patient: Server) -> None:
    """Also where no application was asked."""
    with patient.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        answer = Answers(connection).next()
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.body)
    assert (problem["status"], problem["type"]) == (400, "/problems/malformed-request")
    assert "content-length" in problem["detail"]
