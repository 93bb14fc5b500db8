"""``python -m bench.load.open_load``: sends prepared HTTP requests when due, in an open loop.

A slow server gets as many requests as a fast one. A request may wait for a free connection. Its
latency counts from its due time, so a stall is in the latency of all requests due meanwhile.
"""

import argparse
import asyncio
import sys
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, time

import msgspec
import uvloop

from bench.load.connections import Connection, close_all


class Schedule(msgspec.Struct):
    """Requests, and when each is due: seconds from the beginning, in order."""

    requests: list[bytes]
    due_s: list[float]


class Arrivals(msgspec.Struct):
    """The results; ``sent_s`` and ``answered_s`` are in seconds from the beginning.

    ``begun_at`` is the beginning, in seconds since the epoch.
    """

    begun_at: float
    statuses: list[str]
    sent_s: list[float]
    answered_s: list[float]


class OpenLoop:
    """Sends each request when it is due, over the connection that has been free the longest."""

    def __init__(self, schedule: Schedule, connections: Sequence[Connection]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        count = len(schedule.requests)
        self.statuses = [""] * count
        self._unanswered = count
        self.sent_s = array("d", bytes(8 * count))
        self.answered_s = array("d", bytes(8 * count))
        self._schedule = schedule
        self._free = deque(connections)
        self._waiting: deque[int] = deque()
        self._in_flight: dict[Connection, int] = {}
        self._next = 0
        self._begun = perf_counter()
        for connection in connections:
            connection.load = self
        self._send_due()

    def answered(self, connection: Connection, status: bytes, _latency_s: float) -> None:
        """Records a response; the last one ends the run."""
        number = self._in_flight.pop(connection)
        self.answered_s[number] = perf_counter() - self._begun
        self.statuses[number] = status.decode("latin-1")
        self._unanswered -= 1
        if not self._unanswered:
            self.done.set_result(None)
        elif self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def failed(self, error: BaseException) -> None:
        """See Load."""
        if not self.done.done():
            self.done.set_exception(error)

    def _send_due(self) -> None:
        """Sends due requests, and schedules itself for the next."""
        due_s, now = self._schedule.due_s, perf_counter() - self._begun
        while self._next < len(due_s) and due_s[self._next] <= now:
            if self._free:
                self._send(self._free.popleft(), self._next)
            else:
                self._waiting.append(self._next)
            self._next += 1
        if self._next < len(due_s):
            asyncio.get_running_loop().call_later(due_s[self._next] - now, self._send_due)

    def _send(self, connection: Connection, number: int) -> None:
        self._in_flight[connection] = number
        self.sent_s[number] = perf_counter() - self._begun
        connection.send(self._schedule.requests[number])


async def send_when_due(host: str, port: int, connections: int, schedule: Schedule) -> Arrivals:
    """Sends the schedule, and waits for the last response."""
    opened = await Connection.opened(host, port, connections)
    try:
        begun_at = time()
        loop = OpenLoop(schedule, opened)
        await loop.done
    finally:
        close_all(opened)
    return Arrivals(begun_at, loop.statuses, list(loop.sent_s), list(loop.answered_s))


def main() -> int:
    """Reads a Schedule, writes Arrivals (both msgpack)."""
    parser = argparse.ArgumentParser(prog="bench.load.open_load", description=__doc__)
    parser.add_argument("schedule", type=Path)
    parser.add_argument("arrivals", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    options = parser.parse_args()
    schedule = msgspec.msgpack.decode(options.schedule.read_bytes(), type=Schedule)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(send_when_due(options.host, options.port, options.connections, schedule))
    options.arrivals.write_bytes(msgspec.msgpack.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
