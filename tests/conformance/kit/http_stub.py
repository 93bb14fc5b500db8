"""An HTTP server that is not the provider, such as a proxy between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: Responses that a proxy, a captive portal or an empty gateway may give.
STATUSES = ("200 OK", "201 Created", "400 Bad Request", "409 Conflict", "422 Unprocessable Content",
            "502 Bad Gateway")  # fmt: skip
BODIES = (b"", b"<html>", b"null", b"[]", b'"x"', b"{}", b'{"id": null}',
          b'{"object": "x"}', b'{"object": "x", "id": null}', b'{"error": "x"}',
          b"\xff", b"[" * 100_000)  # fmt: skip


@dataclass
class HttpStub:
    """Gives every request the same response, a status and a body; if None, no response."""

    response: tuple[str, bytes] | None = None
    address: str = ""
    #: How many requests came.
    requests: int = 0
    #: The last one's request line and headers.
    head: str = ""
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        try:
            self.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # the client has given up before it asked
            writer.close()
            return
        self.requests += 1
        if self.response is None:
            await self._over.wait()
        else:
            status, body = self.response
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode())
            writer.write(b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    def end(self) -> None:
        """Ends the connections that wait."""
        self._over.set()


@asynccontextmanager
async def http_stub() -> AsyncIterator[HttpStub]:
    """Runs a stub."""
    stub = HttpStub()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    async with server:
        stub.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield stub
        stub.end()
