"""The health server responds while other connections are idle, slow, endless or garbage."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Final

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from runtime import health as health_module
from runtime import health_server
from runtime.health import GRACE_S, SILENT_S, STALLED_S, Health, HealthSnapshot, is_alive, not_ready
from runtime.health_server import CONNECTIONS_MAX, HEAD_BYTES_MAX, serve
from runtime.heartbeat import Heartbeat
from sandbox.supervision.ports import HOST, free_ports

#: Host and port.
Address = tuple[str, int]
WORKING: Final = HealthSnapshot(
    loop_stalled_s=0.0,
    operational=True,
    was_operational=True,
    unchanged_s=1.0,
    silent_s={"router": 0},
)


@pytest.fixture(scope="module")
def address() -> Address:
    """A health server with one metric, of a program that is ready."""
    (port,) = free_ports(1)
    registry, health = CollectorRegistry(), Health()
    Counter("requests", "Requests.", registry=registry).inc()
    health.update(operational=True)
    serve(HOST, port, registry, health)
    return HOST, port


def get(address: Address, path: str) -> httpx.Response:
    """Returns the response to GET."""
    return httpx.get(f"http://{address[0]}:{address[1]}{path}", timeout=10.0)


def assert_responds(address: Address) -> None:
    """Each path responds with 200 within 10 seconds."""
    begun = time.monotonic()
    assert "requests_total 1.0" in get(address, "/metrics").text
    assert get(address, "/healthz").status_code == 200
    assert get(address, "/readyz").status_code == 200
    assert time.monotonic() - begun < 10.0


@pytest.fixture
def connections(address: Address) -> Iterator[list[socket.socket]]:
    """Three hundred open connections on which nothing is sent."""
    with ExitStack() as opened:
        yield [opened.enter_context(socket.create_connection(address)) for _ in range(300)]


def test_idle_connections_block_no_other_client(
    address: Address, connections: list[socket.socket]
) -> None:
    """There are more of them than the limit on connections."""
    assert len(connections) > 2 * CONNECTIONS_MAX
    assert_responds(address)


def test_slow_senders_and_readers_block_no_other_client(
    address: Address, connections: list[socket.socket]
) -> None:
    """Clients send incomplete request heads or never read their responses."""
    for number, each in enumerate(connections):
        try:
            each.sendall(b"GET /metrics HTTP/1.1\r\n" + (b"\r\n" if number % 2 else b"X: "))
        except OSError:
            continue  # already replaced by a newer one
    assert_responds(address)


def test_an_idle_connection_is_closed(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed after the timeout for the request head, without a response."""
    monkeypatch.setattr(health_server, "HEAD_TIMEOUT_S", 0.3)
    with socket.create_connection(address) as idle:
        idle.settimeout(5.0)
        idle.sendall(b"GET /")
        with suppress(ConnectionResetError):  # also closed
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
def test_every_request_gets_a_response(address: Address, sent: bytes, status: bytes) -> None:
    """It gets one response, and the connection is closed."""
    with socket.create_connection(address) as client:
        client.settimeout(5.0)
        client.sendall(sent)
        response = b""
        try:
            while part := client.recv(4096):
                response += part
        except ConnectionError:
            pass  # closed before it read everything
    assert response.startswith(b"HTTP/1.1 " + status), response
    assert_responds(address)


def test_metrics_that_cannot_be_collected_are_a_500() -> None:
    """Other paths still respond."""
    (port,) = free_ports(1)
    registry, health = CollectorRegistry(), Health()

    def failing() -> float:
        raise KeyError("planted")

    Gauge("failing", "Always.", registry=registry).set_function(failing)
    health.update(operational=True)
    serve(HOST, port, registry, health)
    assert get((HOST, port), "/metrics").status_code == 500
    assert get((HOST, port), "/readyz").status_code == 200


@pytest.mark.alone
def test_a_stalled_event_loop_fails_both_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own event loop beats; a closed loop no longer does."""
    monkeypatch.setattr(health_module, "STALLED_S", 0.3)
    monkeypatch.setattr(health_server, "BEAT_EVERY_S", 0.05)
    (port,) = free_ports(1)
    loop, health = asyncio.new_event_loop(), Health()
    health.update(operational=True)
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
        ({"loop_stalled_s": STALLED_S + 1}, False, ["the event loop is stalled"]),
        ({"operational": False, "unchanged_s": GRACE_S}, True, []),
        (
            {"operational": False, "unchanged_s": GRACE_S + 1},
            True,
            ["start-up or partition recovery is not finished"],
        ),
        (
            {"operational": False, "was_operational": False, "unchanged_s": 0.0},
            True,
            ["start-up or partition recovery is not finished"],
        ),
        ({"silent_s": {"router": SILENT_S}}, True, []),
        (
            {"silent_s": {"router": SILENT_S + 1, "calls": SILENT_S + 1, "other": 0.0}},
            True,
            ["no progress: calls", "no progress: router"],
        ),
    ],
)
def test_alive_and_ready(changes: dict[str, Any], alive: bool, problems: list[str]) -> None:  # noqa: FBT001
    """A program is alive if its event loop runs, and ready if operational and making progress."""
    snapshot = HealthSnapshot(
        **{name: changes.get(name, getattr(WORKING, name)) for name in HealthSnapshot.__slots__}
    )
    assert (is_alive(snapshot), not_ready(snapshot)) == (alive, problems)


def test_readiness_does_not_flap_in_a_rebalance() -> None:
    """A program is ready as soon as it is operational, and unready after the grace period."""
    now = 0.0
    health = Health(clock=lambda: now)
    assert not_ready(health.snapshot())
    health.update(operational=True)
    assert not not_ready(health.snapshot())
    health.update(operational=False)
    now += GRACE_S
    health.beat()
    assert not not_ready(health.snapshot())
    health.update(operational=False)
    now += 1.0
    health.beat()
    assert not_ready(health.snapshot())
    health.update(operational=True)
    assert not not_ready(health.snapshot())


def test_a_heartbeat_ignores_announced_pauses() -> None:
    """A loop that pauses for an hour is silent only after that hour."""
    now = 0.0
    heartbeat = Heartbeat(lambda: now)
    heartbeat.beat(rest_s=3600.0)
    now += 3590.0
    assert heartbeat.silent_s == 0.0
    now += 70.0
    assert heartbeat.silent_s == 60.0
