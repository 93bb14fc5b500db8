"""Runs the echo application in its own process and connects raw sockets to it."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ingress.http.connections import Limits
from sandbox.supervision.ports import HOST, free_ports
from sandbox.supervision.processes import Command
from sandbox.topology import PROJECT
from tests.support.managed_process import ManagedProcess

UP_WITHIN_S: Final = 30.0


@dataclass
class Server:
    """A running server."""

    port: int
    log: Path

    def connect(self, timeout_s: float = 10.0) -> socket.socket:
        """Opens a connection that sends data without delay."""
        connection = socket.create_connection((HOST, self.port), timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def figures(self) -> dict[str, Any]:
        """Returns the server's own statistics."""
        with self.connect() as connection:
            connection.sendall(b"GET /figures HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n")
            response = Responses(connection).next()
        figures: dict[str, Any] = json.loads(response.body)
        return figures

    def closed(self, reason: str) -> float:
        """Returns the metric's count of connections closed for this reason."""
        line = f'payments_ingress_closed_connections_total{{reason="{reason}"}} '
        found = [x for x in self.figures()["metrics"].splitlines() if x.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Returns the log lines with this message."""
        every = (json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{")
        return [line for line in every if line["event"] == message]


@dataclass(frozen=True)
class Response:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Responses:
    """Reads a connection's responses in order and skips interim ones."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data = bytearray()

    def next(self) -> Response:
        """Returns the next response. Raises EOFError or ConnectionResetError if there is none."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        if status == 100:
            return self.next()
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = self._take(int(headers.get("content-length", 0)))
        return Response(status, headers, body)

    def end(self) -> bool:
        """Returns whether the server closes the connection without sending more."""
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
    """Runs an echo server with these limits during the block; it must not exit earlier."""
    (port,) = free_ports(1)
    command = (
        sys.executable,
        "-m",
        "tests.hostile.sockets.echo",
        str(port),
        json.dumps(asdict(limits)),
    )
    program = ManagedProcess(Command(log.stem, command, folder=PROJECT), log.parent)
    assert program.log == log
    program.start()
    try:
        server = Server(port, log)
        _wait_until_up(server, program)
        yield server
        assert program.is_running, f"the server exited: {log.read_text()}"
    finally:
        program.process.terminate()
        program.process.wait(20)


def _wait_until_up(server: Server, program: ManagedProcess) -> None:
    end = time.monotonic() + UP_WITHIN_S
    while True:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            assert program.is_running, f"the server exited: {server.log.read_text()}"
            assert time.monotonic() < end, "the server is not listening"
            time.sleep(0.05)
        else:
            return
