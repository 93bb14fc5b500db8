"""A server that is no provider, for what may happen on the way to one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: What a proxy, a captive portal or an empty gateway may say.
STATUSES = ("200 OK", "201 Created", "400 Bad Request", "409 Conflict", "422 Unprocessable Content",
            "502 Bad Gateway")  # fmt: skip
BODIES = (b"", b"<html>", b"null", b"[]", b'"x"', b"{}", b'{"id": null}', b'{"error": "x"}',
          b"\xff", b"[" * 100_000)  # fmt: skip


@dataclass
class Stranger:
    """Gives the same answer, a status and a body, to everyone; none: it says nothing at all."""

    answer: tuple[str, bytes] | None = None
    address: str = ""
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        await reader.readuntil(b"\r\n\r\n")
        if self.answer is None:
            await self._over.wait()
        else:
            status, body = self.answer
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode())
            writer.write(b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    def end(self) -> None:
        """Lets those go who wait."""
        self._over.set()


@asynccontextmanager
async def answering() -> AsyncIterator[Stranger]:
    """One that is up."""
    stranger = Stranger()
    server = await asyncio.start_server(stranger.serve, "127.0.0.1", 0)
    async with server:
        stranger.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield stranger
        stranger.end()
