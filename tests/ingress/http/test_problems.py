"""Unforeseen errors, and the form that all problems share."""

import logging

import httpx
import pytest

from ingress import errors
from ingress.errors import PROBLEMS, IngressError
from ingress.metrics import Metrics
from schemas import identity
from schemas.http import Problem
from tests.ingress.harness import PAYMENT, Log, assert_problem, event, keyed, signed
from tests.support.log_lines import fields

pytestmark = pytest.mark.anyio


async def test_an_unknown_address_is_404(anonymous: httpx.AsyncClient) -> None:
    """The 404 is a problem document too."""
    for path in ("/", "/v1", "/v1/payments/", "/webhooks", "/v1/payments/a/b/c"):
        assert_problem(await anonymous.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/payments/pay_x", "GET"),
        ("GET", "/webhooks/stripe", "POST"),
        ("PUT", "/healthz", "GET"),
        ("PUT", "/v1/payments", "GET, POST"),
        ("HEAD", "/v1/payments", "GET, POST"),
        ("OPTIONS", "/v1/payments", "GET, POST"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
async def test_an_unsupported_method_is_405(
    anonymous: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    """The 405 lists all supported methods, of whichever route they are."""
    response = await anonymous.request(method, path)
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    if method != "HEAD":
        assert Problem.model_validate(response.json()).type == "about:blank"
    assert response.headers["allow"] == allowed


async def test_a_500_reveals_nothing(
    acme: httpx.AsyncClient, log: Log, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    """It lacks the error's text; the log has the error's type and stack frames, but no text."""
    log.failure = ValueError("card 4242424242424242")
    with caplog.at_level(logging.ERROR):
        response = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    assert_problem(response, 500, "internal-error")
    assert "4242" not in response.text
    (record,) = caplog.records
    assert "4242" not in str(vars(record))
    assert fields(record)["error"] == "ValueError"
    assert any("publish" in frame for frame in fields(record)["frames"])
    assert b'route="/v1/payments",status="500"} 1.0' in metrics.exposition()


async def test_an_error_while_receiving_a_webhook_is_500(
    anonymous: httpx.AsyncClient, log: Log
) -> None:
    """The webhook route responds to errors like the other routes."""
    log.failure, body = RuntimeError("inside"), event({"id": "pi_1"})
    response = await anonymous.post("/webhooks/stripe", content=body, headers=signed(body))
    assert_problem(response, 500, "internal-error")
    assert "inside" not in response.text


async def test_wrong_parameters_are_named(acme: httpx.AsyncClient) -> None:
    """Wrong query parameters are 422; each is named."""
    response = await acme.get("/v1/payments", params={"limit": "101", "status": "DONE"})
    body = assert_problem(response, 422, "invalid-fields")
    assert {error["field"] for error in body["errors"]} == {"limit", "status"}


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "é", "a" * 300])
async def test_an_invalid_cursor_is_400(acme: httpx.AsyncClient, cursor: str) -> None:
    """The problem names the cursor."""
    response = await acme.get("/v1/payments", params={"cursor": cursor})
    body = assert_problem(response, 400, "invalid-cursor")
    assert body["errors"][0]["field"] == "cursor"


async def test_reads_need_postgres(acme: httpx.AsyncClient) -> None:
    """Without Postgres, reads are 503 with Retry-After."""
    payment_id = identity.payment_id("acme", "order-1")
    for path in (
        "/v1/payments",
        f"/v1/payments/{payment_id}",
        f"/v1/payments/{payment_id}/timeline",
    ):
        response = await acme.get(path)
        assert_problem(response, 503, "database-unavailable")
        assert "retry-after" in response.headers


@pytest.mark.parametrize("kind", PROBLEMS)
async def test_every_problem_type_has_a_page(
    anonymous: httpx.AsyncClient, kind: type[IngressError]
) -> None:
    """The type URI of every problem explains the type."""
    response = await anonymous.get(f"/problems/{kind.slug}")
    assert response.status_code == 200
    assert response.json()["title"] == kind.title


def _leaves(kind: type[IngressError]) -> set[type[IngressError]]:
    below = kind.__subclasses__()
    return {kind}.union(*(_leaves(each) for each in below)) if below else {kind}


def test_every_error_is_documented_and_listed() -> None:
    """The diagram in ``ingress.errors`` and the table of problem types are complete."""
    diagram = errors.__doc__ or ""
    for kind in _leaves(IngressError):
        assert kind.__name__ in diagram
        assert kind in PROBLEMS or kind.__subclasses__()


async def test_an_unknown_problem_type_is_404(anonymous: httpx.AsyncClient) -> None:
    """Only problem types have a page."""
    assert_problem(await anonymous.get("/problems/nothing"), 404, "not-found")
