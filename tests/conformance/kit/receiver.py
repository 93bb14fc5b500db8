"""A webhook endpoint that records every request."""

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
    #: How many of the next webhooks get the status 503.
    fail_next: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    async def receive(self, request: Request) -> Response:
        """Records a webhook."""
        delivery = Delivery(await request.body(), dict(request.headers))
        with self._arrived:
            self.deliveries.append(delivery)
            self._arrived.notify_all()
            self.fail_next -= 1
            return Response(status_code=503 if self.fail_next >= 0 else 200)

    def wait(self, condition: Callable[[list[Delivery]], bool]) -> bool:
        """Waits for the condition; whether the deliveries met it within the deadline."""
        with self._arrived:
            return self._arrived.wait_for(lambda: condition(self.deliveries), DEADLINE_S)

    def clear(self) -> None:
        """Deletes the recorded webhooks."""
        with self._arrived:
            self.deliveries.clear()


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Runs a receiver."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    with contextlib.closing(listen()) as sock, served(server, sock):
        receiver.url = f"http://127.0.0.1:{sock.getsockname()[1]}/hook"
        yield receiver
