"""A lean persistent HTTP connection of a load generator, with one request at a time."""

import asyncio
import re
from collections.abc import Sequence
from time import perf_counter
from typing import Final, Protocol, Self, cast

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Load(Protocol):
    """A load generator that sends requests over connections."""

    def answered(self, connection: "Connection", status: bytes, latency_s: float) -> None:
        """Handles a response; the connection is free for the next request."""

    def failed(self, error: BaseException) -> None:
        """Handles a failure, after which no response will come."""


class Connection(asyncio.Protocol):
    """Sends complete requests as bytes; reads only the status and length of responses."""

    def __init__(self) -> None:
        self.load: Load | None = None
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def opened(cls, host: str, port: int, count: int) -> list[Self]:
        """Opens this many connections. Raises OSError."""
        loop = asyncio.get_running_loop()
        return [(await loop.create_connection(cls, host, port))[1] for _ in range(count)]

    def send(self, request: bytes) -> None:
        """Sends a request; the previous one must have been answered."""
        if self._transport is None:
            return
        self._sent_at = perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        head = self._received.find(HEAD_END)
        if head < 0:
            return
        found = LENGTH.search(self._received, 0, head + 2)
        load = self.load
        if found is None or load is None:
            self.connection_lost(ValueError(f"unexpected response: {self._received[:200]!r}"))
            return
        if len(self._received) < head + len(HEAD_END) + int(found[1]):
            return
        status, self._received = self._received[9:12], b""
        load.answered(self, status, perf_counter() - self._sent_at)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self.load is not None:
            self.load.failed(exc or ConnectionError("the server closed a connection"))


def close_all(connections: Sequence[Connection]) -> None:
    """Closes all connections and ignores later errors on them."""
    for connection in connections:
        connection.load = None
        connection.close()
