"""Latencies include stalls of the server, and begin and end at the right times."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from bench.errors import WrongResultError
from bench.load.events import Delivery
from bench.load.open_load import Schedule, send_when_due
from bench.measured.latency import arrival_times, arrived_at, read_delays
from sandbox.supervision.ports import HOST

REQUEST = b"POST / HTTP/1.1\r\n\r\n"
STALL_S = 0.4


@asynccontextmanager
async def _serving(stall_s: float) -> AsyncIterator[int]:
    """A server that stalls before its first response only. Yields its port."""
    stalled, lock = asyncio.Event(), asyncio.Lock()
    ended: list[asyncio.Event] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        own = ended[-1]
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                async with lock:
                    if not stalled.is_set():
                        stalled.set()
                        await asyncio.sleep(stall_s)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()
        own.set()

    async with await asyncio.start_server(respond, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]
        for each in ended:
            await each.wait()


@pytest.mark.anyio
async def test_a_stall_is_in_the_latency_of_all_requests_due_meanwhile() -> None:
    """With one connection the other requests wait to be sent, and this wait counts."""
    due_s = [0.0, 0.05, 0.1, 0.15]
    async with _serving(STALL_S) as port:
        found = await send_when_due(HOST, port, 1, Schedule([REQUEST] * 4, due_s))
    assert found.statuses == ["200"] * 4
    waited = [at - due for at, due in zip(found.answered_s, due_s, strict=True)]
    assert all(w >= STALL_S - due for w, due in zip(waited, due_s, strict=True))
    assert found.sent_s[1] >= STALL_S


@pytest.mark.anyio
async def test_nothing_is_sent_before_it_is_due() -> None:
    """A fast server gets its requests at their times."""
    due_s = [0.0, 0.03, 0.2]
    async with _serving(0.0) as port:
        found = await send_when_due(HOST, port, 3, Schedule([REQUEST] * 3, due_s))
    assert all(sent >= due for sent, due in zip(found.sent_s, due_s, strict=True))
    assert found.sent_s == sorted(found.sent_s)


def test_arrivals_are_a_poisson_process_of_the_rate() -> None:
    """Mean and deviation of the gaps are the rate's inverse. The times are the same in each run."""
    times = arrival_times(200.0, 20_000)
    gaps = [b - a for a, b in zip([0.0, *times], times, strict=False)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert min(gaps) >= 0.0
    assert mean == pytest.approx(1 / 200, rel=0.03)
    assert deviation == pytest.approx(1 / 200, rel=0.05)
    assert arrival_times(200.0, 20_000) == times


def test_a_repeated_event_counts_from_its_first_delivery() -> None:
    """Its first delivery creates the version. Events before the measurement do not count."""
    events = [Delivery(event, "pay", "pi", b"") for event in ("a", "b", "a", "c")]
    arrived = arrived_at(events, [0.0, 1.0, 2.0, 3.0], 100.0, {"c"})
    assert arrived == {"a": 100.0, "b": 101.0}


def test_only_events_with_a_version_are_counted() -> None:
    """An event without effect has no record."""
    found = read_delays({"a": 1.0, "b": 2.0}, {"a": "p:2"}, {"p:2": 1.5, "p:1": 0.5})
    assert found == [0.5]


@pytest.mark.parametrize("versions", [{"a": "p:2", "b": "p:3"}, {}])
def test_a_version_that_was_never_read_fails_the_turn(versions: dict[str, str]) -> None:
    """One missing record is enough."""
    with pytest.raises(WrongResultError, match=r"never read"):
        read_delays({"a": 1.0, "b": 2.0}, versions, {"p:2": 1.5})
