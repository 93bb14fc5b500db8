"""The echo application in a process of its own, and raw sockets to it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ingress.http.connections import Limits
from sandbox.supervision.ports import HOST, free_ports

ROOT: Final = Path(__file__).parents[3]
UP_WITHIN_S: Final = 30.0


@dataclass
class Server:
    """A server that is up."""

    port: int
    log: Path

    def connect(self, timeout_s: float = 10.0) -> socket.socket:
        """A new connection; it sends what it is given at once."""
        connection = socket.create_connection((HOST, self.port), timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def figures(self) -> dict[str, Any]:
        """What the server says of itself."""
        with self.connect() as connection:
            connection.sendall(b"GET /figures HTTP/1.1\r\nConnection: close\r\n\r\n")
            answer = Answers(connection).next()
        figures: dict[str, Any] = json.loads(answer.body)
        return figures

    def closed(self, reason: str) -> float:
        """How many connections ended for this reason, as the metric has it."""
        line = f'payments_ingress_closed_connections_total{{reason="{reason}"}} '
        found = [x for x in self.figures()["metrics"].splitlines() if x.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The lines of the log with this message."""
        every = (json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{")
        return [line for line in every if line["event"] == message]


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Answers:
    """The responses of a connection, in their order; interim ones are left out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data = bytearray()

    def next(self) -> Answer:
        """The next response. Raises EOFError or ConnectionResetError where none comes any more."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        if status == 100:
            return self.next()
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = self._take(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)

    def end(self) -> bool:
        """Whether the server closes without another byte."""
        try:
            return not self._data and not self._connection.recv(1)
        except ConnectionResetError:
            return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            self._more()
        return self._take(self._data.index(mark) + len(mark))

    def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _more(self) -> None:
        more = self._connection.recv(65_536)
        if not more:
            raise EOFError
        self._data += more


@contextmanager
def serving(limits: Limits, log: Path) -> Iterator[Server]:
    """An echo server with these limits; it must end by itself when asked to."""
    (port,) = free_ports(1)
    command = (
        sys.executable,
        "-m",
        "tests.hostile.sockets.echo",
        str(port),
        json.dumps(asdict(limits)),
    )
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stderr=errors)  # noqa: S603  # our own
        try:
            server = Server(port, log)
            _wait_until_up(server, process)
            yield server
            assert process.poll() is None, f"it ended by itself: {log.read_text()}"
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + UP_WITHIN_S
    while True:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            assert process.poll() is None, f"it did not start: {server.log.read_text()}"
            assert time.monotonic() < end, "it does not start"
            time.sleep(0.05)
        else:
            return
