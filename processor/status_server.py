"""/metrics, /healthz and /readyz of a background process, on a thread of its own."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(slots=True)
class Health:
    """Whether the process does its work; written by the process, read by the server."""

    ready: bool = False


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base names it so
        """Probes and scrapes are not worth a line."""


def serve(host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
    """Serves until the process ends. Raises OSError where the port is taken."""
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                return metrics(environ, start)  # type: ignore[no-any-return]  # untyped there
            case "/healthz":
                return _answer(start, ok=True)
            case "/readyz":
                return _answer(start, ok=health.ready)
        start("404 Not Found", [("content-type", "text/plain")])
        return [b"/metrics /healthz /readyz\n"]

    server = make_server(host, port, app, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="status", daemon=True).start()


def _answer(start: StartResponse, *, ok: bool) -> Iterable[bytes]:
    start("200 OK" if ok else "503 Service Unavailable", [("content-type", "text/plain")])
    return [b"ok\n" if ok else b"not ready\n"]
