"""A TCP proxy before a server that is closed, open, or open and silent."""

import asyncio
from typing import Self

from sandbox.supervision.ports import HOST


class TcpGate:
    """Forwards connections to a local port; an async context manager, initially closed."""

    def __init__(self, port: int, to: int) -> None:
        self.port = port
        self._to = to
        self._server: asyncio.Server | None = None
        self._forwarding: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        #: Set while the server's data is forwarded.
        self.forwards_responses = asyncio.Event()
        self.forwards_responses.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._forwarding:
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._forwarding, return_exceptions=True)

    async def open(self) -> None:
        """Accepts connections from now on."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(HOST, self._to)
        self._writers += [writer, to_server]
        self._forwarding |= {
            asyncio.create_task(self._forward(reader, to_server, None)),
            asyncio.create_task(self._forward(from_server, writer, self.forwards_responses)),
        }

    @staticmethod
    async def _forward(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, allowed: asyncio.Event | None
    ) -> None:
        while part := await reader.read(65_536):
            if allowed is not None:
                await allowed.wait()
            writer.write(part)
        writer.close()
