"""Every response has a request ID, and every log line of that request has the same one."""

import uuid
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars

from ingress.http.middleware import RequestMiddleware
from ingress.http.request_id import new_request_id, request_id
from ingress.metrics import Metrics
from runtime.logs import configure_structlog
from schemas import identity
from tests.ingress.harness import PAYMENT, Log, event, keyed, signed
from tests.support.log_lines import lines

pytestmark = pytest.mark.anyio

CARD = "4111-1111-1111-1111"
PAYMENT_ID = identity.payment_id("acme", "order-1")


@pytest.fixture(autouse=True)
def _lines_with_bound_fields() -> None:
    """Configures log lines as in production, with the fields bound to the context."""
    configure_structlog()


def is_uuid(text: str) -> bool:
    """Returns whether this is a random UUID in canonical form."""
    parsed = uuid.UUID(text)
    return (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, text)


def test_new_ids_are_uuids_and_differ() -> None:
    """They must be unique in the logs of many days."""
    made = [new_request_id() for _ in range(1000)]
    assert all(map(is_uuid, made))
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("sent", [b"a", b"order-7.retry_2:1", b"x" * 64])
def test_a_valid_id_from_the_client_is_kept(sent: bytes) -> None:
    """Clients can then find their requests in our logs."""
    assert request_id([(b"host", b"h"), (b"x-request-id", sent)]) == sent.decode()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"x" * 65,
        b"two words",
        b"line\nbreak",
        "é".encode(),
        b"\xff",
        b"<script>",
        CARD.encode(),
    ],
)
def test_any_other_id_is_replaced(sent: bytes) -> None:
    """A log line or a response must not repeat it."""
    made = request_id([(b"x-request-id", sent)])
    assert is_uuid(made)


@pytest.mark.parametrize("path", ["/healthz", "/v1/payments", "/nothing", "/problems/unauthorized"])
async def test_every_response_has_it_once(anonymous: httpx.AsyncClient, path: str) -> None:
    """This includes errors. Two requests never share a generated ID."""
    responses = [await anonymous.get(path) for _ in range(2)]
    ids = [response.headers.get_list("x-request-id") for response in responses]
    assert [len(each) for each in ids] == [1, 1]
    assert all(is_uuid(each[0]) for each in ids)
    assert ids[0] != ids[1]
    named = await anonymous.get(path, headers={"X-Request-Id": "mine-1"})
    assert named.headers.get_list("x-request-id") == ["mine-1"]


@pytest.mark.parametrize("sent", [CARD, "two words", "x" * 65])
async def test_an_unfit_id_is_not_repeated(anonymous: httpx.AsyncClient, sent: str) -> None:
    """The response has the new ID, which the log lines have too."""
    response = await anonymous.get("/healthz", headers={"X-Request-Id": sent})
    (given,) = response.headers.get_list("x-request-id")
    assert is_uuid(given)


async def test_a_commands_log_lines_have_its_ids(
    acme: httpx.AsyncClient, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """They have the IDs of the request, the payment and the event."""
    log.failure = ValueError("inside")
    headers = {**keyed("order-1"), "X-Request-Id": "mine-1"}
    created = await acme.post("/v1/payments", json=PAYMENT, headers=headers)
    cancelled = await acme.post(f"/v1/payments/{PAYMENT_ID}/cancel", json={}, headers=headers)
    for response, line in zip((created, cancelled), lines(caplog, "request.failed"), strict=True):
        assert response.status_code == 500
        assert response.headers["x-request-id"] == line["request_id"] == "mine-1"
        assert line["payment_id"] == PAYMENT_ID
        assert line["event_id"].startswith("cmd_")


@pytest.mark.parametrize("payment_id", [PAYMENT_ID, None])
async def test_a_webhooks_log_lines_have_its_ids(
    anonymous: httpx.AsyncClient,
    log: Log,
    caplog: pytest.LogCaptureFixture,
    payment_id: str | None,
) -> None:
    """They have the payment's ID only if the event names it."""
    log.failure = ValueError("inside")
    metadata = {} if payment_id is None else {"payment_id": payment_id}
    body = event({"id": "pi_1", "metadata": metadata})
    response = await anonymous.post("/webhooks/stripe", content=body, headers=signed(body))
    (line,) = lines(caplog, "request.failed")
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["event_id"] == "evt_1"
    assert line.get("payment_id") == payment_id


async def test_fields_of_the_previous_request_are_unbound(metrics: Metrics) -> None:
    """The next request on a connection may start in a copy of the previous one's context."""
    bind_contextvars(request_id="before", payment_id="pay_before", event_id="evt_before")
    seen: list[dict[str, Any]] = []

    async def application(_scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(get_contextvars())

    async def receive() -> Any:
        raise AssertionError("the application reads no body")

    async def send(_message: Message) -> None:
        raise AssertionError("the application sends no response")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-request-id", b"new")]}
    await RequestMiddleware(application, metrics)(scope, receive, send)
    assert seen == [{"request_id": "new"}]
