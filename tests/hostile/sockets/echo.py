"""A small application with the ingress's protocol; it responds with each request as it was read.

Run it with ``python -m tests.hostile.sockets.echo PORT LIMITS``; the limits are JSON.
"""

import asyncio
import json
import os
import resource
import sys
from typing import Any, Final

import psutil  # type: ignore[import-untyped] # it ships no types
import uvicorn

from ingress.http import open_files
from ingress.http.connections import STATE_KEY, Connections, Limits
from ingress.http.serving import uvicorn_options
from ingress.metrics import Metrics
from runtime.logs import configure_structlog

BIG: Final = 4 * 2**20


class Echo:
    """The ASGI application."""

    def __init__(self, limits: Limits) -> None:
        self._metrics = Metrics()
        self._connections = Connections(limits, self._metrics, open_files.in_use)
        self._released = asyncio.Event()
        #: Requests that the application gave up because their client disconnected.
        self._gone = 0
        self._handled = 0
        self._hogged: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handles one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        body = bytearray()
        more = scope["path"] not in {"/early", "/hold-unread"}
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._gone += 1
                return
            body += message["body"]
            more = message["more_body"]
        self._handled += scope["path"] != "/figures"
        await self._answer(send, await self._do(scope, bytes(body)))

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        async with self._connections:
            scope["state"][STATE_KEY] = self._connections
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _do(self, scope: Any, body: bytes) -> bytes:
        match scope["path"]:
            case "/hold" | "/hold-unread":
                await self._released.wait()
            case "/release":
                self._released.set()  # only requests that wait now
                self._released = asyncio.Event()
            case "/big":
                return b"x" * BIG
            case "/hog":
                self._hog()
            case "/unhog":
                while self._hogged:
                    os.close(self._hogged.pop())
            case "/figures":
                return json.dumps(self._figures()).encode()
        return json.dumps(
            {
                "method": scope["method"],
                "target": scope["raw_path"].decode(),
                "query": scope["query_string"].decode(),
                "headers": [
                    [n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]
                ],
                "body": body.decode("latin-1"),
            }
        ).encode()

    def _hog(self) -> None:
        """Takes all remaining file handles, like a leak elsewhere in the process."""
        try:
            while True:
                self._hogged.append(os.dup(0))
        except OSError:
            return

    def _figures(self) -> dict[str, Any]:
        return {
            "rss": psutil.Process().memory_info().rss,
            "handles": open_files.in_use(),
            "open": len(self._connections),
            "gone": self._gone,
            "handled": self._handled,
            "metrics": self._metrics.exposition().decode(),
        }

    @staticmethod
    async def _answer(send: Any, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serves until SIGTERM."""
    port, given = int(sys.argv[1]), json.loads(sys.argv[2])
    files = given.get("open_files", 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    configure_structlog()
    app = Echo(Limits(**given))
    uvicorn.run(app, host="127.0.0.1", port=port, **uvicorn_options())


if __name__ == "__main__":
    main()
