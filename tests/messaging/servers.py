"""Servers that accept a connection and then stop responding."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accepts every connection and never responds; yields its host:port."""

    async def swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(1 << 16):
                pass

    async with _serving(swallow) as address:
        yield address


@asynccontextmanager
async def proxy_of_one_response(bootstrap: str) -> AsyncIterator[str]:
    """Forwards one response of a broker for each connection, and none after it."""
    host, _, port = bootstrap.partition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection(host, int(port))
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            to_broker.write(await _frame(reader))
            writer.write(await _frame(from_broker))
            while await reader.read(1 << 16):
                pass
        to_broker.transport.abort()

    async with _serving(relay) as address:
        yield address


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Reads a request or a response of Kafka's protocol, with its length."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big"))


@asynccontextmanager
async def _serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serves each connection with ``serve``, and closes all of them at the end."""
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
    """Accepts every client's log-in and then never responds; yields its host:port."""

    async def log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while (await _startup(reader)) in _ENCRYPTION:
                writer.write(b"N")
            writer.write(_WELCOME)
            while await reader.read(1 << 16):
                pass

    async with _serving(log_in) as address:
        yield address


#: Requests for encryption, sent before anything else: TLS and GSSAPI.
_ENCRYPTION: Final = frozenset({80877103, 80877104})
#: Authentication is done; the server's version and encoding; it is ready.
_WELCOME: Final = (
    b"R\x00\x00\x00\x08\x00\x00\x00\x00"
    b"S\x00\x00\x00\x18server_version\x0018.0\x00"
    b"S\x00\x00\x00\x19client_encoding\x00UTF8\x00"
    b"Z\x00\x00\x00\x05I"
)


async def _startup(reader: asyncio.StreamReader) -> int:
    """Reads a client's first request: a protocol version, or encryption."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    return int.from_bytes((await reader.readexactly(length - 4))[:4], "big")
