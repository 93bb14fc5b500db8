"""/metrics, /healthz and /readyz of a background process, on a thread and an event loop of its own.

Each connection gets one response and has deadlines, a request head is limited in size, and the
number of connections is limited: a new one beyond the limit replaces the oldest. So idle and slow
clients block no other client.
"""

import asyncio
import socket
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from runtime.health import Health, is_alive, not_ready
from runtime.listening import listen_at
from runtime.logs import get_logger

log = get_logger(__name__)

#: The largest request head, in bytes, and how long a client may take to send it, in seconds.
HEAD_BYTES_MAX: Final = 8192
HEAD_TIMEOUT_S: Final = 5.0
#: How long a client may take to read the response, in seconds.
RESPONSE_TIMEOUT_S: Final = 10.0
#: Open connections.
CONNECTIONS_MAX: Final = 128
#: How often the program's event loop is made to beat, in seconds.
BEAT_EVERY_S: Final = 1.0
_TEXT: Final = "text/plain; charset=utf-8"

#: Status, content type, body.
Response = tuple[HTTPStatus, str, bytes]


def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    health: Health,
    loop: asyncio.AbstractEventLoop | None = None,
) -> None:
    """Starts a thread that serves until the process ends.

    Args:
        host: address to listen on.
        port: port to listen on.
        registry: the metrics to export.
        health: the program's state.
        loop: the program's event loop, which beats ``health``. None: the server's own loop does.

    Raises:
        SettingsError: the process can't listen there.
    """
    server = HealthServer(registry, health)

    def listen() -> socket.socket:
        return listen_at(host, port, CONNECTIONS_MAX, "PAYMENTS_METRICS")

    async def run(listening: socket.socket) -> None:
        async with await server.start(listening):
            while True:
                if loop is None:
                    health.beat()
                else:
                    with suppress(RuntimeError):  # the loop is closed, so it no longer beats
                        loop.call_soon_threadsafe(health.beat)
                await asyncio.sleep(BEAT_EVERY_S)

    def serve_forever(listening: socket.socket | None) -> None:
        while True:
            try:
                asyncio.run(run(listening or listen()))
            except Exception:
                log.exception("health_server.failed", note="restarting")
            listening = None
            time.sleep(BEAT_EVERY_S)

    threading.Thread(
        target=serve_forever, args=(listen(),), name="health-server", daemon=True
    ).start()


class HealthServer:
    """Responds to one request per connection."""

    def __init__(self, registry: CollectorRegistry, health: Health) -> None:
        self._registry = registry
        self._health = health
        #: Open connections, the oldest first.
        self._open: OrderedDict[asyncio.StreamWriter, None] = OrderedDict()

    async def start(self, listening: socket.socket) -> asyncio.Server:
        """Accepts connections on this socket, on the running loop."""
        return await asyncio.start_server(self._serve, sock=listening, limit=HEAD_BYTES_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            oldest, _ = self._open.popitem(last=False)
            oldest.transport.abort()
        self._open[writer] = None
        try:
            await self._respond(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client went away or was too slow
        except Exception:
            log.exception("health_server.request_failed")
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_TIMEOUT_S):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                head = b""
        status, content_type, body = self._response(head)
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(lines.encode() + (b"" if head.startswith(b"HEAD ") else body))
        async with asyncio.timeout(RESPONSE_TIMEOUT_S):
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    def _response(self, head: bytes) -> Response:
        """Returns the response to a request. ``head`` is empty if it was too large."""
        if not head:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TEXT, b"request head too large\n"
        request, *fields = head.decode("latin-1").split("\r\n")
        method, _, rest = request.partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            return HTTPStatus.BAD_REQUEST, _TEXT, b"not an HTTP/1 request\n"
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET or HEAD\n"
        match target.partition("?")[0]:
            case "/metrics":
                return self._metrics(_field(fields, "accept"))
            case "/healthz":
                alive = is_alive(self._health.snapshot())
                return _health_response([] if alive else ["the event loop is stalled"])
            case "/readyz":
                return _health_response(not_ready(self._health.snapshot()))
        return HTTPStatus.NOT_FOUND, _TEXT, b"/metrics /healthz /readyz\n"

    def _metrics(self, accept: str) -> Response:
        encode, content_type = choose_encoder(accept)
        try:
            return HTTPStatus.OK, content_type, encode(self._registry)
        except Exception:
            log.exception("metrics.collection_failed")
            return HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"the metrics cannot be collected\n"


def _field(fields: list[str], name: str) -> str:
    """Returns the value of a header field, or an empty string."""
    for field in fields:
        field_name, _, value = field.partition(":")
        if field_name.strip().lower() == name:
            return value.strip()
    return ""


def _health_response(problems: list[str]) -> Response:
    if problems:
        return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"not ready: {'; '.join(problems)}\n".encode()
    return HTTPStatus.OK, _TEXT, b"ok\n"
