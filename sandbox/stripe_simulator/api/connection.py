"""Resets the connection of a request.

ASGI does not support this, so the server's protocol puts its transport into the request's scope.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "stripe_simulator.transport"
_ABORT_S = 1.0
_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST, not FIN


class BreakableProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, whose connections the application can reset."""

    def on_message_begin(self) -> None:
        """Begin a request and put the transport into its scope."""
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment] # a TypedDict without our key
        scope.setdefault("extensions", {})[_EXTENSION] = {"transport": self.transport}


async def reset_connection(scope: Scope, receive: Receive) -> None:
    """Reset the connection, and return when the server has noticed.

    Raises:
        ConnectionAbortedError: the server gives no access to the transport; it closes the
            connection or returns 500.
    """
    extension = (scope.get("extensions") or {}).get(_EXTENSION)
    if extension is None:
        raise ConnectionAbortedError("served without BreakableProtocol")
    transport: asyncio.Transport = extension["transport"]
    plain = transport.get_extra_info("socket")
    if plain is not None:
        with contextlib.suppress(OSError):  # the client may be gone already
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await wait_for_disconnect(receive, _ABORT_S)  # otherwise the server logs a missing response


async def wait_for_disconnect(receive: Receive, within_s: float) -> None:
    """Wait until the client disconnects, for ``within_s`` seconds at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while (await receive())["type"] != "http.disconnect":
                pass
