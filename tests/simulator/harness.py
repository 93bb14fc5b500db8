"""A simulator and a webhook receiver: real servers on free ports, each in its own thread."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.stripe_simulator.server import create_server
from sandbox.stripe_simulator.settings import SimulatorSettings

API_KEY = "sk_test_of_the_tests"
READ_API_KEY = "rk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"  # noqa: S105 - it guards nothing
DEADLINE_S = 15.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Received:
    """A received webhook."""

    body: bytes
    signature: str
    secret: str = WEBHOOK_SECRET

    @property
    def event(self) -> dict[str, Any]:
        """The event, unverified."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def genuine(self) -> bool:
        """Whether the ``stripe`` package accepts the signature."""
        return self.is_signed_with(self.secret)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the ``stripe`` package accepts the signature with this secret."""
        try:
            stripe.WebhookSignature.verify_header(self.body, self.signature, secret, 300)
        except stripe.SignatureVerificationError:
            return False
        return True


@dataclass
class Receiver:
    """A webhook endpoint and what it received; it refuses forged webhooks.

    ``status`` is the status for genuine webhooks, or a function of them.
    """

    status: int | Callable[[Received], int] = 200
    secret: str = WEBHOOK_SECRET
    received: list[Received] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def app(self) -> Starlette:
        """The endpoint as an application."""

        async def receive(request: Request) -> Response:
            item = Received(await request.body(), request.headers["stripe-signature"], self.secret)
            with self._arrived:
                self.received.append(item)
                self._arrived.notify_all()
            if not item.genuine:
                return Response(status_code=400)
            return Response(status_code=self.status(item) if callable(self.status) else self.status)

        return Starlette(routes=[Route("/hook", receive, methods=["POST"])])

    def wait(self, condition: Callable[[list[Received]], bool]) -> list[Received]:
        """Wait until the received webhooks meet the condition, and return them."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: condition(self.received), DEADLINE_S):
                raise AssertionError(f"received only {[e.event['type'] for e in self.received]}")
            return list(self.received)

    def wait_for_types(self, *types: str) -> list[Received]:
        """Wait until each type was received as often as it is named; return all webhooks."""

        def complete(received: list[Received]) -> bool:
            seen = [item.event["type"] for item in received]
            return all(seen.count(name) >= types.count(name) for name in types)

        return self.wait(complete)

    def types(self) -> list[str]:
        """The types received so far, in order."""
        with self._arrived:
            return [item.event["type"] for item in self.received]


@dataclass
class Simulator:
    """A running simulator."""

    base_url: str
    client: stripe.StripeClient
    http: httpx.Client
    receiver: Receiver

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Post to the control API."""
        response = self.http.post(f"/_control/{path}", json=body or {})
        assert response.status_code == 200, response.text
        return response.json()

    def read(self, path: str) -> Any:
        """Get from the control API."""
        return self.http.get(f"/_control/{path}").raise_for_status().json()

    def client_of(self, key: str, account: str | None = None) -> stripe.StripeClient:
        """A client with another key, perhaps for a connected account."""
        return stripe.StripeClient(
            key,
            stripe_account=account,
            base_addresses={"api": self.base_url},
            http_client=stripe.RequestsClient(timeout=10),
            max_network_retries=0,
        )

    def of(self, key: str, account: str | None = None) -> "Simulator":
        """The same simulator with ``client_of`` another account."""
        return replace(self, client=self.client_of(key, account))

    def set_faults(self, **faults: Any) -> None:
        """Switch these faults on and all others off."""
        self.http.put("/_control/faults", json=faults).raise_for_status()

    def pay(self, method: str = "pm_card_visa", **more: Any) -> stripe.PaymentIntent:
        """Create and confirm a payment of 10 euros."""
        options = more.pop("options", None)
        params: Any = {  # tests send wrong parameters too
            "amount": 1000,
            "currency": "eur",
            "payment_method": method,
            "confirm": True,
            "allowed_payment_method_types": ["card"],
            **more,
        }
        return self.client.v1.payment_intents.create(params, options)

    def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not hold in time"
            time.sleep(_POLL_S)

    def settle(self) -> None:
        """Wait until no delivery is pending."""
        self.eventually(lambda: self.read("stats")["pending_deliveries"] == 0)


@contextlib.contextmanager
def running(receiver: Receiver | None = None, **settings: Any) -> Iterator[Simulator]:
    """Run a simulator and its receiver."""
    receiver = receiver or Receiver()
    with listening(receiver) as url, contextlib.ExitStack() as stack:
        configured = {
            "webhook_url": url,
            "webhook_secret": WEBHOOK_SECRET,
            "retry_base_delay_s": 0.05,
            "settlement_delay_s": 0.05,
            **settings,
        }
        yield stack.enter_context(serving(receiver, **configured))


@contextlib.contextmanager
def listening(receiver: Receiver) -> Iterator[str]:
    """Run a receiver; yields its URL."""
    with contextlib.ExitStack() as stack:
        hook = stack.enter_context(contextlib.closing(listen()))
        config = uvicorn.Config(receiver.app(), log_level="error", access_log=False)
        stack.enter_context(served(uvicorn.Server(config), hook))
        yield f"http://127.0.0.1:{hook.getsockname()[1]}/hook"


@contextlib.contextmanager
def serving(receiver: Receiver, **settings: Any) -> Iterator[Simulator]:
    """Run a simulator alone."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(contextlib.closing(listen()))
        port = sock.getsockname()[1]
        given = SimulatorSettings(api_key=API_KEY, read_api_key=READ_API_KEY, port=port, **settings)
        server = create_server(given)
        stack.enter_context(served(server, sock))
        base_url = f"http://127.0.0.1:{port}"
        transport = stripe.RequestsClient(timeout=10)
        stack.callback(transport.close)
        client = stripe.StripeClient(
            API_KEY,
            base_addresses={"api": base_url},
            http_client=transport,
            max_network_retries=0,
        )
        http = stack.enter_context(httpx.Client(base_url=base_url, timeout=10))
        yield Simulator(base_url, client, http, receiver)


@contextlib.contextmanager
def served(server: uvicorn.Server, sock: socket.socket) -> Iterator[None]:
    """Serve on a socket, in another thread, until the end of the block."""
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[sock]),))
    thread.start()
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < deadline, "the server didn't start"
            time.sleep(_POLL_S)
        yield
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the server didn't stop"


def listen() -> socket.socket:
    """A socket that listens on a free port."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    return sock


def state_in(folder: Path) -> dict[str, Any]:
    """The setting that keeps state in a folder."""
    return {"state_dir": folder}
