"""ASGI middleware around the whole application: request IDs, common headers, unforeseen errors."""

import traceback
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from ingress.http.problems import internal_error
from ingress.http.request_id import HEADER, REQUEST_ID, request_id
from ingress.metrics import Metrics
from runtime.logs import get_logger

UNMATCHED: Final = "unmatched"
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

#: Answers under this path are about a tenant's payments, errors included.
_PRIVATE: Final = "/v1/"
_COMMON_HEADERS: Final = ((b"x-content-type-options", b"nosniff"),)
_PRIVATE_HEADERS: Final = (*_COMMON_HEADERS, (b"cache-control", b"no-store"))

_log = get_logger(__name__)


class RequestMiddleware:
    """Runs one request: binds its ID to the log, counts its answer, turns an exception into a 500.

    It adds to every answer the request ID and ``X-Content-Type-Options``, and forbids caches to
    store answers about payments.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application for one request. Passes the lifespan through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None
        own_id = request_id(scope["headers"])
        scope.setdefault("state", {})[REQUEST_ID] = own_id
        # The task may have inherited the context of the request before it on the connection.
        clear_contextvars()
        bind_contextvars(request_id=own_id)
        common = _PRIVATE_HEADERS if scope["path"].startswith(_PRIVATE) else _COMMON_HEADERS
        added = (*common, (HEADER, own_id.encode()))

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001  # the last place that can turn it into an answer
            _log_failure(scope, error)
            if status is None:
                await internal_error()(scope, receive, send_with_headers)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(_route(scope), method, str(status)).inc()


def _log_failure(scope: Scope, error: Exception) -> None:
    """Logs where an exception was raised. Not its text, which may repeat what a client sent."""
    frames = [
        f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)
    ]
    _log.error(
        "request.failed", route=_route(scope), error=type(error).__name__, frames=frames[-8:]
    )


def _route(scope: Scope) -> str:
    """The route's template. The path itself would make a metric label per payment."""
    return getattr(scope.get("route"), "path", UNMATCHED)
