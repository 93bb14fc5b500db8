"""Servers that accept a connection and then do not do their part."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accepts every connection and never answers; gives its host:port."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(1 << 16):
                pass
        writer.close()

    async with _serving(swallow) as address:
        yield address


@asynccontextmanager
async def proxy_of_one_answer(bootstrap: str) -> AsyncIterator[str]:
    """Passes one answer of a broker on for each connection, and none after it."""
    host, _, port = bootstrap.partition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(host, int(port))
        with suppress(OSError, asyncio.IncompleteReadError):
            ours.write(await _frame(reader))
            writer.write(await _frame(theirs))
            while await reader.read(1 << 16):
                pass
        ours.close()
        writer.close()

    async with _serving(relay) as address:
        yield address


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer of Kafka's protocol, with the length before it."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big"))


@asynccontextmanager
async def _serving(
    serve: "asyncio.streams._ClientConnectedCallback",
) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
