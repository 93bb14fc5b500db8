"""Servers that accept a connection and then do not do their part."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accepts every connection and never answers; gives its host:port."""

    async def swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(1 << 16):
                pass

    async with _serving(swallow) as address:
        yield address


@asynccontextmanager
async def proxy_of_one_answer(bootstrap: str) -> AsyncIterator[str]:
    """Passes one answer of a broker on for each connection, and none after it."""
    host, _, port = bootstrap.partition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(host, int(port))
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            ours.write(await _frame(reader))
            writer.write(await _frame(theirs))
            while await reader.read(1 << 16):
                pass
        ours.transport.abort()

    async with _serving(relay) as address:
        yield address


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer of Kafka's protocol, with the length before it."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big"))


@asynccontextmanager
async def _serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serves each connection so; at the end all of them are gone."""
    under_way: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            with suppress(asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            writer.transport.abort()
            under_way.discard(task)

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        ending = set(under_way)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn


@asynccontextmanager
async def postgres_that_falls_silent() -> AsyncIterator[str]:
    """Lets every client in, takes what it says and never answers it; gives its host:port."""

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while (await _startup(reader)) in _ENCRYPTION:
                writer.write(b"N")
            writer.write(_WELCOME)
            while await reader.read(1 << 16):
                pass

    async with _serving(let_in) as address:
        yield address


#: Whether the server encrypts, asked before anything else: by TLS, or by GSSAPI.
_ENCRYPTION: Final = frozenset({80877103, 80877104})
#: Authentication is done; the server's version and encoding; it is ready.
_WELCOME: Final = (
    b"R\x00\x00\x00\x08\x00\x00\x00\x00"
    b"S\x00\x00\x00\x18server_version\x0018.0\x00"
    b"S\x00\x00\x00\x19client_encoding\x00UTF8\x00"
    b"Z\x00\x00\x00\x05I"
)


async def _startup(reader: asyncio.StreamReader) -> int:
    """What a client asks for at first: a version of the protocol, or encryption."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    return int.from_bytes((await reader.readexactly(length - 4))[:4], "big")
