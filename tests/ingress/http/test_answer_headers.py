"""What every answer says of itself: nobody guesses its type, nobody keeps a tenant's payments."""

import httpx
import pytest

from ingress.errors import BrokerUnavailableError
from schemas import identity
from tests.ingress.harness import PAYMENT, Log, event, keyed, signed

pytestmark = pytest.mark.anyio

OURS = identity.payment_id("acme", "order-1")
PRIVATE = [
    ("POST", "/v1/payments"),
    ("GET", "/v1/payments"),
    ("GET", "/v1/payments?limit=0"),
    ("GET", f"/v1/payments/{OURS}"),
    ("GET", f"/v1/payments/{OURS}/timeline"),
    ("GET", "/v1/payments/pay_x"),
    ("DELETE", f"/v1/payments/{OURS}"),
    ("POST", f"/v1/payments/{OURS}/refunds"),
    ("GET", "/v1/nothing"),
]
PUBLIC = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/docs/swagger-ui-bundle.js"),
    ("GET", "/openapi.json"),
    ("GET", "/problems/unauthorized"),
    ("GET", "/nothing"),
    ("POST", "/webhooks/stripe"),
    ("POST", "/webhooks/nobody"),
]


def assert_said(answer: httpx.Response, *, private: bool) -> None:
    """The headers stand there, once."""
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.url
    kept = ["no-store"] if private else []
    assert answer.headers.get_list("cache-control") == kept, answer.url


@pytest.mark.parametrize(("method", "path"), PRIVATE)
async def test_no_cache_stores_an_answer_about_payments(
    acme: httpx.AsyncClient, nobody: httpx.AsyncClient, method: str, path: str
) -> None:
    """Nor a problem about them: with a key, without one, whatever the status."""
    for client in (acme, nobody):
        body = PAYMENT if method == "POST" else None
        answer = await client.request(method, path, json=body, headers=keyed("k"))
        assert_said(answer, private=True)


@pytest.mark.parametrize(("method", "path"), PUBLIC)
async def test_no_browser_guesses_a_type(nobody: httpx.AsyncClient, method: str, path: str) -> None:
    """Every other answer says so too."""
    assert_said(await nobody.request(method, path), private=False)


async def test_errors_of_ours_say_it_too(
    acme: httpx.AsyncClient, nobody: httpx.AsyncClient, log: Log
) -> None:
    """A 500 and a 503, on both kinds of path."""
    body = event({"id": "pi_1"})
    for failure in (ValueError("inside"), BrokerUnavailableError("away", sent=False)):
        log.failure = failure
        answer = await acme.post("/v1/payments", json=PAYMENT, headers=keyed(str(failure)))
        assert answer.status_code in {500, 503}
        assert_said(answer, private=True)
        answer = await nobody.post("/webhooks/stripe", content=body, headers=signed(body))
        assert answer.status_code in {500, 503}
        assert_said(answer, private=False)
