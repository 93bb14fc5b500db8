"""Which connections are closed, and how that is logged."""

import asyncio
import logging
from dataclasses import replace

import pytest

from ingress.http.connections import (
    CLOSING_MAX,
    LOG_EVERY_S,
    NEVER,
    SPARE_FILES,
    Connections,
    Limits,
)
from ingress.metrics import Metrics
from tests.support.log_lines import fields

LIMITS = Limits(
    head_bytes=16_384,
    head_s=1.0,
    body_s=1.0,
    keep_alive_s=1.0,
    response_s=1.0,
    connections=100,
    open_files=1000,
)


class Client:
    """A fake connection that records the calls to it."""

    def __init__(self, connections: Connections, deadline: float = NEVER) -> None:
        self._connections = connections
        self.deadline = deadline
        self.calls: list[str] = []

    def expire(self) -> None:
        """See ``Connection``."""
        self.calls.append("expire")
        self._connections.remove(self, "head_timeout")

    def evict(self) -> None:
        """See ``Connection``."""
        self.calls.append("evict")
        self._connections.mark_closing(self)

    def refuse(self) -> None:
        """See ``Connection``."""
        self.calls.append("refuse")
        self._connections.mark_closing(self)

    def abort(self) -> None:
        """See ``Connection``."""
        self.calls.append("abort")
        self._connections.discard(self)


class Broken(Client):
    """A connection whose code fails."""

    def expire(self) -> None:
        """Raises an unforeseen error."""
        raise KeyError("unforeseen")


def connected(connections: Connections, number: int) -> list[Client]:
    """Adds this many new connections."""
    clients = [Client(connections) for _ in range(number)]
    for client in clients:
        connections.add(client)
    return clients


def test_a_failing_connection_does_not_delay_others() -> None:
    """It is aborted, once; the others end at their deadlines."""
    connections = Connections(LIMITS, Metrics())
    broken = Broken(connections, deadline=1.0)
    others = [Client(connections, deadline=1.0), Client(connections, deadline=3.0)]
    for each in (broken, *others):
        connections.add(each)
    connections.sweep(2.0)
    connections.sweep(2.1)
    assert broken.calls == ["abort"]
    assert [each.calls for each in others] == [["expire"], []]


@pytest.mark.anyio
async def test_sweeps_continue_after_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is logged."""
    sweeps = 0

    def handles() -> int:
        nonlocal sweeps
        sweeps += 1
        raise KeyError("unforeseen")

    async with Connections(replace(LIMITS, head_s=0.04), Metrics(), handles):
        async with asyncio.timeout(5):
            while sweeps < 3:  # noqa: ASYNC110  # there is no event for it
                await asyncio.sleep(0.01)
    assert [fields(line)["error"] for line in caplog.records][:2] == ["KeyError", "KeyError"]


def test_the_longest_waiting_connection_is_evicted_and_a_busy_one_never() -> None:
    """Waiting time counts, not the connection's age."""
    connections = Connections(LIMITS, Metrics())
    clients = connected(connections, LIMITS.connections)
    connections.mark_busy(clients[0])
    connections.mark_waiting(clients[1])
    (newest,) = connected(connections, 1)
    assert [each for each in clients if each.calls] == [clients[2]]
    assert clients[2].calls == ["evict"]
    for each in (*clients[1:2], *clients[3:], newest):
        connections.mark_busy(each)
    (refused,) = connected(connections, 1)
    assert refused.calls == ["refuse"]
    connections.mark_waiting(clients[0])
    connected(connections, 1)
    assert clients[0].calls == ["evict"]


def test_the_number_of_closing_connections_is_limited() -> None:
    """Evicted connections above the limit are aborted."""
    connections = Connections(LIMITS, Metrics())
    clients = connected(connections, 3 * LIMITS.connections)
    assert len(connections) == LIMITS.connections + CLOSING_MAX
    assert sum("abort" in each.calls for each in clients) == 2 * LIMITS.connections - CLOSING_MAX


def test_other_open_files_reduce_the_limit() -> None:
    """The limit returns to its former value afterwards."""
    used = 100
    connections = Connections(replace(LIMITS, open_files=400), Metrics(), lambda: used)
    clients = connected(connections, 100)
    connections.sweep(0.0)
    assert not any(each.calls for each in clients)
    used = 400
    connections.sweep(1.0)
    room = 400 - 300 - SPARE_FILES - CLOSING_MAX
    assert ["evict" in each.calls for each in clients] == [True] * (100 - room) + [False] * room
    for each in clients[: 100 - room]:
        connections.remove(each, "evicted")
    used = room
    connections.sweep(2.0)
    assert not any(each.calls for each in connected(connections, 100 - room))


def test_one_log_line_covers_many_connections(caplog: pytest.LogCaptureFixture) -> None:
    """The first is logged at once, later ones after an interval, and ordinary ends never."""
    connections = Connections(LIMITS, Metrics())

    def lose(number: int, reason: str) -> None:
        for client in connected(connections, number):
            connections.remove(client, reason)

    with caplog.at_level(logging.WARNING):
        lose(5, "client")
        connections.sweep(0.0)
        assert not caplog.records
        lose(5, "malformed")
        connections.sweep(1.0)
        lose(7, "malformed")
        lose(2, "head_timeout")
        connections.sweep(2.0)
        connections.sweep(LOG_EVERY_S)
        assert [fields(line)["closed"] for line in caplog.records] == [{"malformed": 5}]
        connections.sweep(LOG_EVERY_S + 1.0)
    last = fields(caplog.records[-1])
    assert (last["closed"], last["open"]) == ({"malformed": 7, "head_timeout": 2}, 0)
    assert len(caplog.records) == 2
