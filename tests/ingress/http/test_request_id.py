"""Every answer carries a request ID, and every log line of that request carries the same one."""

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
OURS = identity.payment_id("acme", "order-1")


@pytest.fixture(autouse=True)
def _lines_with_bound_fields() -> None:
    """Log lines as the program writes them: with the fields that are bound to the context."""
    configure_structlog()


def is_uuid(text: str) -> bool:
    """Whether this is a random UUID in its usual form."""
    parsed = uuid.UUID(text)
    return (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, text)


def test_new_ids_are_uuids_and_differ() -> None:
    """They are looked up in logs of many days."""
    made = [new_request_id() for _ in range(1000)]
    assert all(map(is_uuid, made))
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("sent", [b"a", b"order-7.retry_2:1", b"x" * 64])
def test_a_plain_id_of_the_client_is_kept(sent: bytes) -> None:
    """It finds its own request in our logs by the ID that it made."""
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
    """What a log line or an answer must not repeat."""
    made = request_id([(b"x-request-id", sent)])
    assert is_uuid(made)


@pytest.mark.parametrize("path", ["/healthz", "/v1/payments", "/nothing", "/problems/unauthorized"])
async def test_every_answer_carries_it_once(nobody: httpx.AsyncClient, path: str) -> None:
    """Errors included; and two requests never share one that we made."""
    answers = [await nobody.get(path) for _ in range(2)]
    ids = [answer.headers.get_list("x-request-id") for answer in answers]
    assert [len(each) for each in ids] == [1, 1]
    assert all(is_uuid(each[0]) for each in ids)
    assert ids[0] != ids[1]
    named = await nobody.get(path, headers={"X-Request-Id": "mine-1"})
    assert named.headers.get_list("x-request-id") == ["mine-1"]


async def test_a_commands_log_lines_carry_its_ids(
    acme: httpx.AsyncClient, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """The request, the payment and the event: on a create, and on an operation."""
    log.failure = ValueError("inside")
    headers = {**keyed("order-1"), "X-Request-Id": "mine-1"}
    created = await acme.post("/v1/payments", json=PAYMENT, headers=headers)
    cancelled = await acme.post(f"/v1/payments/{OURS}/cancel", json={}, headers=headers)
    for answer, line in zip((created, cancelled), lines(caplog, "request.failed"), strict=True):
        assert answer.status_code == 500
        assert answer.headers["x-request-id"] == line["request_id"] == "mine-1"
        assert line["payment_id"] == OURS
        assert line["event_id"].startswith("cmd_")


@pytest.mark.parametrize("payment_id", [OURS, None])
async def test_a_webhooks_log_lines_carry_its_ids(
    nobody: httpx.AsyncClient,
    log: Log,
    caplog: pytest.LogCaptureFixture,
    payment_id: str | None,
) -> None:
    """The payment's only where the event names one."""
    log.failure = ValueError("inside")
    metadata = {} if payment_id is None else {"payment_id": payment_id}
    body = event({"id": "pi_1", "metadata": metadata})
    answer = await nobody.post("/webhooks/stripe", content=body, headers=signed(body))
    (line,) = lines(caplog, "request.failed")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["event_id"] == "evt_1"
    assert line.get("payment_id") == payment_id


async def test_the_request_before_leaves_nothing_bound(metrics: Metrics) -> None:
    """A request behind another one on its connection may start in a copy of its context."""
    bind_contextvars(request_id="before", payment_id="pay_before", event_id="evt_before")
    seen: list[dict[str, Any]] = []

    async def application(_scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(get_contextvars())

    async def receive() -> Any:
        raise AssertionError("the application reads no body")

    async def send(_message: Message) -> None:
        raise AssertionError("the application sends no answer")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-request-id", b"new")]}
    await RequestMiddleware(application, metrics)(scope, receive, send)
    assert seen == [{"request_id": "new"}]
