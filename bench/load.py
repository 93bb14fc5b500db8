"""``python -m bench.load``: sends prepared HTTP requests as fast as they are answered.

Its own process, and lean: the requests are complete bytes, each connection sends the next one as
soon as the last was answered, and of an answer only status and length are read. So it is a closed
loop: a slower server gets fewer requests, and latencies are those at full load.
"""

import argparse
import asyncio
import json
import math
import re
import resource
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, time
from typing import Final, cast

import msgspec
import uvloop

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Phase:
    """Requests to send, and what came of them."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.left: Iterator[bytes] = iter(requests)
        self.expected = len(requests)
        self.latencies_s = array("d")
        self.statuses: Counter[str] = Counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, status: bytes, latency_s: float) -> None:
        """One more answer; the last one ends the phase."""
        self.latencies_s.append(latency_s)
        self.statuses[status.decode("latin-1")] += 1
        if len(self.latencies_s) == self.expected:
            self.done.set_result(None)

    def failed(self, error: BaseException) -> None:
        """No further answer will come."""
        if not self.done.done():
            self.done.set_exception(error)


class Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def begin(self, phase: Phase) -> None:
        """Sends the phase's requests until none is left."""
        self._phase = phase
        self._send_next(phase)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        head = self._received.find(HEAD_END)
        if head < 0:
            return
        found = LENGTH.search(self._received, 0, head + 2)
        phase = self._phase
        if found is None or phase is None:
            self.connection_lost(
                ValueError(f"no such answer was awaited: {self._received[:200]!r}")
            )
            return
        if len(self._received) < head + len(HEAD_END) + int(found[1]):
            return
        phase.answered(self._received[9:12], perf_counter() - self._sent_at)
        self._received = b""
        self._send_next(phase)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._phase is not None:
            self._phase.failed(exc or ConnectionError("the server closed a connection"))

    def close(self) -> None:
        """Nothing more will be sent."""
        if self._transport is not None:
            self._transport.close()

    def _send_next(self, phase: Phase) -> None:
        request = next(phase.left, None)
        if request is None or self._transport is None:
            return
        self._sent_at = perf_counter()
        self._transport.write(request)


async def send_all(
    host: str, port: int, connections: int, phases: Sequence[Sequence[bytes]]
) -> list[dict[str, object]]:
    """Sends one phase after the other over the same connections; answers each one's figures."""
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, host, port))[1] for _ in range(connections)]
    try:
        return [await _send(opened, requests) for requests in phases]
    finally:
        for connection in opened:
            connection.close()


async def _send(opened: Sequence[Connection], requests: Sequence[bytes]) -> dict[str, object]:
    phase = Phase(requests)
    at, cpu_s, begun = time(), _cpu_s(), perf_counter()
    for connection in opened:
        connection.begin(phase)
    await phase.done
    seconds = perf_counter() - begun
    ordered = sorted(phase.latencies_s)
    return {
        "begun_at": at,
        "count": phase.expected,
        "seconds": seconds,
        "statuses": phase.statuses,
        "p50_ms": _quantile(ordered, 0.50) * 1e3,
        "p99_ms": _quantile(ordered, 0.99) * 1e3,
        "generator_cpu_us": (_cpu_s() - cpu_s) / phase.expected * 1e6,
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Reads phases of requests (msgpack), writes each phase's figures (JSON)."""
    parser = argparse.ArgumentParser(prog="bench.load", description=__doc__)
    parser.add_argument("requests", type=Path)
    parser.add_argument("figures", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    told = parser.parse_args()
    phases = msgspec.msgpack.decode(told.requests.read_bytes(), type=list[list[bytes]])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(send_all(told.host, told.port, told.connections, phases))
    told.figures.write_text(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
