"""Pure ASGI, around the whole application: counts every answer, and answers what nobody caught.

Every answer says that its type is not to be guessed; one about payments, that nobody may keep it.
"""

import traceback
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.http.problems import internal_error
from ingress.metrics import Metrics
from runtime.logs import get_logger

UNMATCHED: Final = "unmatched"
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

#: Under this, answers are about a tenant's payments, errors included.
_PRIVATE: Final = "/v1/"
_EVERYWHERE: Final = ((b"x-content-type-options", b"nosniff"),)
_NOT_TO_BE_KEPT: Final = (*_EVERYWHERE, (b"cache-control", b"no-store"))

_log = get_logger(__name__)


class ErrorMiddleware:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None
        added = _NOT_TO_BE_KEPT if scope["path"].startswith(_PRIVATE) else _EVERYWHERE

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:  # noqa: BLE001  # the last one who can turn it into an answer
            self._tell(scope, error)
            if status is None:
                await internal_error()(scope, receive, note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(_route(scope), method, str(status)).inc()

    @staticmethod
    def _tell(scope: Scope, error: Exception) -> None:
        """Where it was raised, not its text: that may repeat what a client sent."""
        frames = [
            f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)
        ]
        _log.error(
            "request.failed",
            route=_route(scope),
            error=type(error).__name__,
            frames=frames[-8:],
        )


def _route(scope: Scope) -> str:
    """The route's template, never the path itself: that would be a label per payment."""
    return getattr(scope.get("route"), "path", UNMATCHED)
