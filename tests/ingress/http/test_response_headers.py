"""Every response forbids type sniffing; responses about payments also forbid caching."""

import httpx
import pytest

from ingress.errors import BrokerUnavailableError
from schemas import identity
from tests.ingress.harness import PAYMENT, Log, event, keyed, signed

pytestmark = pytest.mark.anyio

PAYMENT_ID = identity.payment_id("acme", "order-1")
PRIVATE = [
    ("POST", "/v1/payments"),
    ("GET", "/v1/payments"),
    ("GET", "/v1/payments?limit=0"),
    ("GET", f"/v1/payments/{PAYMENT_ID}"),
    ("GET", f"/v1/payments/{PAYMENT_ID}/timeline"),
    ("GET", "/v1/payments/pay_x"),
    ("DELETE", f"/v1/payments/{PAYMENT_ID}"),
    ("POST", f"/v1/payments/{PAYMENT_ID}/refunds"),
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


def assert_headers(response: httpx.Response, *, private: bool) -> None:
    """Checks that each header occurs once."""
    assert response.headers.get_list("x-content-type-options") == ["nosniff"], response.url
    caching = ["no-store"] if private else []
    assert response.headers.get_list("cache-control") == caching, response.url


@pytest.mark.parametrize(("method", "path"), PRIVATE)
async def test_responses_about_payments_are_not_cached(
    acme: httpx.AsyncClient, anonymous: httpx.AsyncClient, method: str, path: str
) -> None:
    """This holds for problems too, with and without an API key."""
    for client in (acme, anonymous):
        body = PAYMENT if method == "POST" else None
        response = await client.request(method, path, json=body, headers=keyed("k"))
        assert_headers(response, private=True)


@pytest.mark.parametrize(("method", "path"), PUBLIC)
async def test_public_responses_forbid_type_sniffing(
    anonymous: httpx.AsyncClient, method: str, path: str
) -> None:
    """They have no Cache-Control."""
    assert_headers(await anonymous.request(method, path), private=False)


async def test_internal_errors_have_the_headers_too(
    acme: httpx.AsyncClient, anonymous: httpx.AsyncClient, log: Log
) -> None:
    """A 500 and a 503 have them on both kinds of path."""
    body = event({"id": "pi_1"})
    for failure in (ValueError("inside"), BrokerUnavailableError("away", sent=False)):
        log.failure = failure
        response = await acme.post("/v1/payments", json=PAYMENT, headers=keyed(str(failure)))
        assert response.status_code in {500, 503}
        assert_headers(response, private=True)
        response = await anonymous.post("/webhooks/stripe", content=body, headers=signed(body))
        assert response.status_code in {500, 503}
        assert_headers(response, private=False)
