"""A proxy between the worker and the provider's API, which changes what the worker gets.

The simulator lists only events that it could have made, and answers only what it did. This stands
for everything else that a list may contain one day, or an answer say.
"""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

from sandbox.client import Json
from sandbox.supervision.ports import HOST, free_ports

#: Headers of one connection, which a proxy doesn't pass on.
_HOP: Final = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
#: Changes one event of a list in place.
Change = Callable[[Json], None]


class TamperingProxy(ThreadingHTTPServer):
    """Passes every request on; until ``upstream`` is known, it answers 502.

    Args:
        port: where it listens.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.url: Final = f"http://{HOST}:{port}"
        self.upstream: str | None = None
        #: How often each path was asked for, without its query.
        self.asked: Final[Counter[str]] = Counter()
        self._change: Change | None = None
        self._cut_off: str | None = None
        self._errors: Final[dict[str, Json]] = {}

    @contextmanager
    def cut_off(self, path: str) -> Iterator[None]:
        """Passes on no request for this path meanwhile: it is answered 502."""
        self._cut_off = path
        try:
            yield
        finally:
            self._cut_off = None

    @contextmanager
    def denying(self, path: str, error: Json) -> Iterator[None]:
        """Passes on requests for this path meanwhile, and answers 400 with this error."""
        self._errors[path] = {"error": error}
        try:
            yield
        finally:
            del self._errors[path]

    def is_cut_off(self, path: str) -> bool:
        """Whether a request for this path is not passed on."""
        return path == self._cut_off

    @contextmanager
    def changing(self, change: Change) -> Iterator[None]:
        """Changes every listed event meanwhile."""
        self._change = change
        try:
            yield
        finally:
            self._change = None

    def changed(self, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        """The provider's answer as the worker gets it."""
        if (error := self._errors.get(path)) is not None:
            return 400, json.dumps(error).encode()
        change = self._change
        if change is None or not path.startswith("/v1/events?"):
            return status, body
        page = json.loads(body)
        for event in page.get("data", ()):
            change(event)
        return status, json.dumps(page).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TamperingProxy

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.upstream is None or self.server.is_cut_off(self.path):
            self.send_error(502)
            return
        connection = http.client.HTTPConnection(urlsplit(self.server.upstream).netloc, timeout=60)
        try:
            named = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            connection.request(self.command, self.path, body or None, named)
            response = connection.getresponse()
            status, answer = self.server.changed(self.path, response.status, response.read())
            self.server.asked[urlsplit(self.path).path] += 1
            self.send_response_only(status)
            for name, value in response.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:  # the service or the simulator has hung up, as a fault or at the end
            self.close_connection = True
        finally:
            connection.close()

    do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815  # the names that http.server looks for


@contextmanager
def tampering_proxy() -> Iterator[TamperingProxy]:
    """A proxy that listens meanwhile."""
    (port,) = free_ports(1)
    with TamperingProxy(port) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            serving.join()
