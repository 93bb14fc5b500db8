"""Errors nobody planned for, and the form all of them share."""

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


async def test_an_unknown_address_is_404(nobody: httpx.AsyncClient) -> None:
    """There is nothing there, and that is a problem document too."""
    for path in ("/", "/v1", "/v1/payments/", "/webhooks", "/v1/payments/a/b/c"):
        assert_problem(await nobody.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/payments/pay_x", "GET"),
        ("GET", "/webhooks/stripe", "POST"),
        ("PUT", "/healthz", "GET"),
    ],
)
async def test_a_method_not_offered_is_405(
    nobody: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    """405 names the methods there are."""
    answer = await nobody.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert Problem.model_validate(answer.json()).status == 405
    assert allowed in answer.headers["allow"]


async def test_a_fault_of_ours_tells_nothing(
    acme: httpx.AsyncClient, log: Log, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    """500 without the error's text; the log has its place and kind, not what it repeats."""
    log.failure = ValueError("card 4242424242424242")
    with caplog.at_level(logging.ERROR):
        answer = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    assert_problem(answer, 500, "internal-error")
    assert "4242" not in answer.text
    (record,) = caplog.records
    assert "4242" not in str(vars(record))
    assert fields(record)["error"] == "ValueError"
    assert any("publish" in frame for frame in fields(record)["frames"])
    assert b'route="/v1/payments",status="500"} 1.0' in metrics.exposition()


async def test_a_fault_while_a_webhook_is_taken_is_500(nobody: httpx.AsyncClient, log: Log) -> None:
    """The plain route answers as the others do."""
    log.failure, body = RuntimeError("inside"), event({"id": "pi_1"})
    answer = await nobody.post("/webhooks/stripe", content=body, headers=signed(body))
    assert_problem(answer, 500, "internal-error")
    assert "inside" not in answer.text


async def test_parameters_are_named(acme: httpx.AsyncClient) -> None:
    """Wrong query parameters are 422, each by its name."""
    answer = await acme.get("/v1/payments", params={"limit": "101", "status": "DONE"})
    body = assert_problem(answer, 422, "invalid-fields")
    assert {error["field"] for error in body["errors"]} == {"limit", "status"}


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "é", "a" * 300])
async def test_a_wrong_cursor_is_named(acme: httpx.AsyncClient, cursor: str) -> None:
    """A cursor nobody gave out is 400, and says so."""
    answer = await acme.get("/v1/payments", params={"cursor": cursor})
    body = assert_problem(answer, 400, "invalid-cursor")
    assert body["errors"][0]["field"] == "cursor"


async def test_reading_needs_the_store(acme: httpx.AsyncClient) -> None:
    """Without Postgres reads are 503 with Retry-After; nothing hangs."""
    ours = identity.payment_id("acme", "order-1")
    for path in ("/v1/payments", f"/v1/payments/{ours}", f"/v1/payments/{ours}/timeline"):
        answer = await acme.get(path)
        assert_problem(answer, 503, "database-unavailable")
        assert "retry-after" in answer.headers


@pytest.mark.parametrize("kind", PROBLEMS)
async def test_every_problem_type_leads_somewhere(
    nobody: httpx.AsyncClient, kind: type[IngressError]
) -> None:
    """The type URI of every problem explains the type."""
    answer = await nobody.get(f"/problems/{kind.slug}")
    assert answer.status_code == 200
    assert answer.json()["title"] == kind.title


def _leaves(kind: type[IngressError]) -> set[type[IngressError]]:
    below = kind.__subclasses__()
    return {kind}.union(*(_leaves(each) for each in below)) if below else {kind}


def test_every_error_is_drawn_and_listed() -> None:
    """The drawing in ``ingress.errors`` and the table of problem types leave nothing out."""
    drawing = errors.__doc__ or ""
    for kind in _leaves(IngressError):
        assert kind.__name__ in drawing
        assert kind in PROBLEMS or kind.__subclasses__()


async def test_an_unknown_problem_type_is_404(nobody: httpx.AsyncClient) -> None:
    """What isn't a problem type is not explained."""
    assert_problem(await nobody.get("/problems/nothing"), 404, "not-found")
