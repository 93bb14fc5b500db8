"""``python -m bench.load.load``: sends prepared HTTP requests in a closed loop.

Requests are complete bytes, and only the status and length of responses are read, so the generator
needs little CPU time. Each connection sends its next request after the last response. A slower
server gets fewer requests, and latencies are those at full load.
"""

import argparse
import asyncio
import json
import math
import resource
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, time

import msgspec
import uvloop

from bench.load.connections import Connection, close_all


class Phase:
    """Requests to send, and their results."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.left: Iterator[bytes] = iter(requests)
        self.expected = len(requests)
        self.latencies_s = array("d")
        self.statuses: Counter[str] = Counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, connection: Connection) -> None:
        """Lets the connection send requests until none is left."""
        connection.load = self
        self._send_next(connection)

    def answered(self, connection: Connection, status: bytes, latency_s: float) -> None:
        """Records a response; the last one ends the phase."""
        self.latencies_s.append(latency_s)
        self.statuses[status.decode("latin-1")] += 1
        if len(self.latencies_s) == self.expected:
            self.done.set_result(None)
        else:
            self._send_next(connection)

    def failed(self, error: BaseException) -> None:
        """See Load."""
        if not self.done.done():
            self.done.set_exception(error)

    def _send_next(self, connection: Connection) -> None:
        request = next(self.left, None)
        if request is not None:
            connection.send(request)


async def send_all(
    host: str, port: int, connections: int, phases: Sequence[Sequence[bytes]]
) -> list[dict[str, object]]:
    """Sends the phases over the same connections, and returns each one's figures."""
    opened = await Connection.opened(host, port, connections)
    try:
        return [await _send(opened, requests) for requests in phases]
    finally:
        close_all(opened)


async def _send(opened: Sequence[Connection], requests: Sequence[bytes]) -> dict[str, object]:
    phase = Phase(requests)
    at, cpu_s, begun = time(), _cpu_s(), perf_counter()
    for connection in opened:
        phase.begin(connection)
    await phase.done
    seconds = perf_counter() - begun
    ordered = sorted(phase.latencies_s)
    return {
        "begun_at": at,
        "count": phase.expected,
        "seconds": seconds,
        "statuses": phase.statuses,
        "p50_ms": quantile(ordered, 0.50) * 1e3,
        "p99_ms": quantile(ordered, 0.99) * 1e3,
        "generator_cpu_us": (_cpu_s() - cpu_s) / phase.expected * 1e6,
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted figures, by the nearest rank."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Reads phases of requests (msgpack), writes each phase's figures (JSON)."""
    parser = argparse.ArgumentParser(prog="bench.load.load", description=__doc__)
    parser.add_argument("requests", type=Path)
    parser.add_argument("figures", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    options = parser.parse_args()
    phases = msgspec.msgpack.decode(options.requests.read_bytes(), type=list[list[bytes]])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(send_all(options.host, options.port, options.connections, phases))
    options.figures.write_text(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
