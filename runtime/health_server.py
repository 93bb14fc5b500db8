"""/metrics, /healthz and /readyz of a background process, on a thread and a loop of its own.

Every connection has deadlines and one answer, a head has a limit, and there is room for so many
connections: the oldest goes where a new one has none. So whoever keeps connections open, or sends
and reads slowly, keeps nobody else from an answer.
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
from runtime.logs import get_logger

log = get_logger(__name__)

#: A request's head: all of its bytes, and how long they may take, in seconds.
HEAD_BYTES_MAX: Final = 8192
HEAD_WITHIN_S: Final = 5.0
#: How long an answer may take to be read, in seconds.
ANSWER_WITHIN_S: Final = 10.0
#: Connections at a time.
CONNECTIONS_MAX: Final = 128
#: How often the program's loop is asked to say that it runs.
BEAT_EVERY_S: Final = 1.0
_TEXT: Final = "text/plain; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]


def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    health: Health,
    loop: asyncio.AbstractEventLoop | None = None,
) -> None:
    """Serves until the process ends. Raises OSError where the port is taken.

    Args:
        host: address to listen on.
        port: port to listen on.
        registry: the metrics.
        health: what the program says of itself.
        loop: the program's; its heartbeat goes to ``health``. None: it has one of its own.
    """
    server = HealthServer(registry, health)

    def listen() -> socket.socket:
        return socket.create_server((host, port), backlog=CONNECTIONS_MAX)

    async def run(listening: socket.socket) -> None:
        async with await server.start(listening):
            while True:
                if loop is None:
                    health.beat()
                else:
                    with suppress(RuntimeError):  # it is closed: it has no heartbeat any more
                        loop.call_soon_threadsafe(health.beat)
                await asyncio.sleep(BEAT_EVERY_S)

    def again_and_again(listening: socket.socket | None) -> None:
        while True:
            try:
                asyncio.run(run(listening or listen()))
            except Exception:
                log.exception("status_server.failed", note="it restarts")
            listening = None
            time.sleep(BEAT_EVERY_S)

    threading.Thread(target=again_and_again, args=(listen(),), name="status", daemon=True).start()


class HealthServer:
    """Answers requests; a connection has one."""

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
            await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # it went away, or was too slow: nobody waits for an answer
        except Exception:
            log.exception("status_server.not_answered")
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_WITHIN_S):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                head = b""
        status, kind, body = self._of(head)
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(lines.encode() + (b"" if head.startswith(b"HEAD ") else body))
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    def _of(self, head: bytes) -> Answer:
        """The answer to a request; ``head`` is empty where it is too large."""
        if not head:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TEXT, b"the head is too large\n"
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
                alive = is_alive(self._health.seen())
                return _said([] if alive else ["its loop stands still"])
            case "/readyz":
                return _said(not_ready(self._health.seen()))
        return HTTPStatus.NOT_FOUND, _TEXT, b"/metrics /healthz /readyz\n"

    def _metrics(self, accept: str) -> Answer:
        encode, kind = choose_encoder(accept)
        try:
            return HTTPStatus.OK, kind, encode(self._registry)
        except Exception:
            log.exception("metrics.not_collected")
            return HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"the metrics can't be collected\n"


def _field(fields: list[str], name: str) -> str:
    for field in fields:
        its_name, _, value = field.partition(":")
        if its_name.strip().lower() == name:
            return value.strip()
    return ""


def _said(problems: list[str]) -> Answer:
    if problems:
        return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"not ready: {'; '.join(problems)}\n".encode()
    return HTTPStatus.OK, _TEXT, b"ok\n"
