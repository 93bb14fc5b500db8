"""A door before a server: closed, open, or open and silent."""

import asyncio
from typing import Self

from sandbox.supervision.ports import HOST


class Door:
    """Forwards connections to a port of this machine; an async context manager, closed at first."""

    def __init__(self, port: int, to: int) -> None:
        self.port = port
        self._to = to
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        #: Set while what the server says gets through.
        self.passing = asyncio.Event()
        self.passing.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def open(self) -> None:
        """From now on connections are taken."""
        self._server = await asyncio.start_server(self._take, HOST, self.port)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._to)
        self._writers += [writer, back]
        for task in (self._pass(reader, back, None), self._pass(there, writer, self.passing)):
            passing = asyncio.create_task(task)
            self._passing.add(passing)

    @staticmethod
    async def _pass(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passing: asyncio.Event | None
    ) -> None:
        while part := await reader.read(65_536):
            if passing is not None:
                await passing.wait()
            writer.write(part)
        writer.close()
