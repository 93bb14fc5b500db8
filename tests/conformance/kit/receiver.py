"""A webhook endpoint that takes everything, and keeps it as it came."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.simulator.harness import DEADLINE_S, listen, served


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook: the raw body, and its headers by lower-case name."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Receiver:
    """What was delivered so far, in order of arrival."""

    url: str = ""
    #: So many of the next webhooks are answered 503.
    refuse: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    async def take(self, request: Request) -> Response:
        """The endpoint."""
        delivery = Delivery(await request.body(), dict(request.headers))
        with self._news:
            self.deliveries.append(delivery)
            self._news.notify_all()
            self.refuse -= 1
            return Response(status_code=503 if self.refuse >= 0 else 200)

    def wait(self, condition: Callable[[list[Delivery]], bool]) -> bool:
        """Whether the condition came to hold of what was delivered, within the deadline."""
        with self._news:
            return self._news.wait_for(lambda: condition(self.deliveries), DEADLINE_S)

    def forget(self) -> None:
        """Starts again without requests."""
        with self._news:
            self.deliveries.clear()


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that is up."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    with contextlib.closing(listen()) as sock, served(server, sock):
        receiver.url = f"http://127.0.0.1:{sock.getsockname()[1]}/hook"
        yield receiver
