"""The status server answers beside connections that are idle, slow, endless or garbage."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Final

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from runtime import health as deciding
from runtime import health_server
from runtime.health import GRACE_S, SILENT_S, STALLED_S, Health, HealthSnapshot, is_alive, not_ready
from runtime.health_server import CONNECTIONS_MAX, HEAD_BYTES_MAX, serve
from runtime.heartbeat import Heartbeat
from sandbox.supervision.ports import HOST, free_ports

#: A connection that nobody answers.
Address = tuple[str, int]
WORKING: Final = HealthSnapshot(
    0.0, in_place=True, was_in_place=True, for_s=1.0, silent_s={"router": 0}
)


@pytest.fixture(scope="module")
def address() -> Address:
    """A server with one metric, of a program that works."""
    (port,) = free_ports(1)
    registry, health = CollectorRegistry(), Health()
    Counter("asked", "How often.", registry=registry).inc()
    health.put(in_place=True)
    serve(HOST, port, registry, health)
    return HOST, port


def get(address: Address, path: str) -> httpx.Response:
    """What it answers."""
    return httpx.get(f"http://{address[0]}:{address[1]}{path}", timeout=10.0)


def answered(address: Address) -> None:
    """It answers each of its paths, soon."""
    begun = time.monotonic()
    assert "asked_total 1.0" in get(address, "/metrics").text
    assert get(address, "/healthz").status_code == 200
    assert get(address, "/readyz").status_code == 200
    assert time.monotonic() - begun < 10.0


@pytest.fixture
def connections(address: Address) -> Iterator[list[socket.socket]]:
    """Several hundred connections, which are open and say nothing."""
    with ExitStack() as opened:
        yield [opened.enter_context(socket.create_connection(address)) for _ in range(300)]


def test_idle_connections_keep_nobody_waiting(
    address: Address, connections: list[socket.socket]
) -> None:
    """As ``nc`` leaves one open, or three hundred."""
    assert len(connections) > 2 * CONNECTIONS_MAX
    answered(address)


def test_slow_senders_and_readers_keep_nobody_waiting(
    address: Address, connections: list[socket.socket]
) -> None:
    """Half of a head, and answers that nobody takes."""
    for number, each in enumerate(connections):
        try:
            each.sendall(b"GET /metrics HTTP/1.1\r\n" + (b"\r\n" if number % 2 else b"X: "))
        except OSError:
            continue  # it made room already
    answered(address)


def test_a_connection_that_says_nothing_is_closed(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the deadline of its head, without an answer."""
    monkeypatch.setattr(health_server, "HEAD_WITHIN_S", 0.3)
    with socket.create_connection(address) as idle:
        idle.settimeout(5.0)
        idle.sendall(b"GET /")
        with suppress(ConnectionResetError):  # closed, too
            assert idle.recv(100) == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * HEAD_BYTES_MAX + b"\r\n\r\n", b"431"),
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"GET /readyz\r\n\r\n", b"400"),
        (b"POST /readyz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"GET /nowhere HTTP/1.1\r\n\r\n", b"404"),
        (b"HEAD /readyz?x=1 HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_whatever_is_asked_has_an_answer(address: Address, sent: bytes, status: bytes) -> None:
    """One, and the connection is closed."""
    with socket.create_connection(address) as asking:
        asking.settimeout(5.0)
        asking.sendall(sent)
        answer = b""
        try:
            while part := asking.recv(4096):
                answer += part
        except ConnectionError:
            pass  # closed with bytes that it has not read
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    answered(address)


def test_metrics_that_cannot_be_collected_are_an_error() -> None:
    """Of that request alone."""
    (port,) = free_ports(1)
    registry, health = CollectorRegistry(), Health()

    def failing() -> float:
        raise KeyError("planted")

    Gauge("failing", "Always.", registry=registry).set_function(failing)
    health.put(in_place=True)
    serve(HOST, port, registry, health)
    assert get((HOST, port), "/metrics").status_code == 500
    assert get((HOST, port), "/readyz").status_code == 200


def test_a_loop_that_stands_still_fails_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat is the program's own loop's; one that was closed has none any more."""
    monkeypatch.setattr(deciding, "STALLED_S", 0.3)
    monkeypatch.setattr(health_server, "BEAT_EVERY_S", 0.05)
    (port,) = free_ports(1)
    loop, health = asyncio.new_event_loop(), Health()
    health.put(in_place=True)
    serve(HOST, port, CollectorRegistry(), health, loop)
    loop.run_until_complete(asyncio.sleep(0.2))
    assert get((HOST, port), "/healthz").status_code == 200
    loop.close()
    deadline = time.monotonic() + 5.0
    while get((HOST, port), "/healthz").status_code != 503:
        assert time.monotonic() < deadline
    assert get((HOST, port), "/readyz").status_code == 503


@pytest.mark.parametrize(
    ("changes", "alive", "problems"),
    [
        ({}, True, []),
        ({"still_s": STALLED_S + 1}, False, ["its loop stands still"]),
        ({"in_place": False, "for_s": GRACE_S}, True, []),
        (
            {"in_place": False, "for_s": GRACE_S + 1},
            True,
            ["it has not got what it works on"],
        ),
        (
            {"in_place": False, "was_in_place": False, "for_s": 0.0},
            True,
            ["it has not got what it works on"],
        ),
        ({"silent_s": {"router": SILENT_S}}, True, []),
        (
            {"silent_s": {"router": SILENT_S + 1, "calls": SILENT_S + 1, "other": 0.0}},
            True,
            ["no progress: calls", "no progress: router"],
        ),
    ],
)
def test_what_it_means(changes: dict[str, Any], alive: bool, problems: list[str]) -> None:  # noqa: FBT001
    """Alive while its loop runs; ready while it has what it works on, and all of it moves."""
    seen = HealthSnapshot(
        **{name: changes.get(name, getattr(WORKING, name)) for name in HealthSnapshot.__slots__}
    )
    assert (is_alive(seen), not_ready(seen)) == (alive, problems)


def test_a_rebalance_does_not_make_it_come_and_go() -> None:
    """Ready at once when it has its partitions; not at once no more when they are taken."""
    now = 0.0
    health = Health(lambda: now)
    assert not_ready(health.seen())
    health.put(in_place=True)
    assert not not_ready(health.seen())
    health.put(in_place=False)
    now += GRACE_S
    health.beat()
    assert not not_ready(health.seen())
    health.put(in_place=False)
    now += 1.0
    health.beat()
    assert not_ready(health.seen())
    health.put(in_place=True)
    assert not not_ready(health.seen())


def test_a_pulse_leaves_rests_out() -> None:
    """A loop that rests for an hour is silent from then on only."""
    now = 0.0
    heartbeat = Heartbeat(lambda: now)
    heartbeat.beat(rest_s=3600.0)
    now += 3590.0
    assert heartbeat.silent_s == 0.0
    now += 70.0
    assert heartbeat.silent_s == 60.0
