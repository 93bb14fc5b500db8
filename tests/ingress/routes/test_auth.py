"""API keys and tenants."""

import httpx
import pytest

from schemas import identity
from tests.ingress.harness import PAYMENT, TENANT_KEYS, Log, assert_problem, keyed

pytestmark = pytest.mark.anyio

PROTECTED = [
    ("POST", "/v1/payments"),
    ("GET", "/v1/payments"),
    ("GET", "/v1/payments/pay_x"),
    ("GET", "/v1/payments/pay_x/timeline"),
    ("POST", "/v1/payments/pay_x/confirm"),
    ("POST", "/v1/payments/pay_x/capture"),
    ("POST", "/v1/payments/pay_x/cancel"),
    ("POST", "/v1/payments/pay_x/refunds"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic a2V5LW9mLWFjbWU=", "key-of-acme"),
        *("Basic key-of-acme", "Token key-of-acme"),
    ],
)
async def test_a_valid_api_key_is_required(
    anonymous: httpx.AsyncClient, log: Log, method: str, path: str, authorization: str | None
) -> None:
    """Without one, every request is 401, even if it has other errors; nothing is published."""
    headers = {} if authorization is None else {"Authorization": authorization}
    response = await anonymous.request(method, path, headers=headers, content=b"{")
    assert_problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "key-of-acme" not in response.text
    assert log.records == []


async def test_the_scheme_is_case_insensitive(anonymous: httpx.AsyncClient) -> None:
    """``bearer`` is ``Bearer`` (RFC 9110)."""
    headers = {"Authorization": f"bearer {TENANT_KEYS['acme']}", **keyed("a")}
    assert (await anonymous.post("/v1/payments", json=PAYMENT, headers=headers)).status_code == 202


async def test_the_hash_of_a_key_is_no_key(anonymous: httpx.AsyncClient) -> None:
    """A reader of the settings can't use the API with the stored hash."""
    stored = "6f0c2d9a" * 8
    response = await anonymous.get("/v1/payments", headers={"Authorization": f"Bearer {stored}"})
    assert_problem(response, 401, "unauthorized")


async def test_one_idempotency_key_is_two_payments_for_two_tenants(
    acme: httpx.AsyncClient, globex: httpx.AsyncClient
) -> None:
    """An Idempotency-Key belongs to its tenant."""
    first = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    second = await globex.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refunds"])
async def test_another_tenants_payment_is_404(
    globex: httpx.AsyncClient, log: Log, operation: str
) -> None:
    """An operation on another tenant's payment is 404 at once, and nothing is published."""
    payment_id = identity.payment_id("acme", "order-1")
    path = f"/v1/payments/{payment_id}/{operation}"
    assert_problem(await globex.post(path, headers=keyed("k")), 404, "unknown-payment")
    assert log.records == []


@pytest.mark.parametrize("path", ["", "/timeline"])
async def test_another_tenants_payment_is_not_readable(
    globex: httpx.AsyncClient, path: str
) -> None:
    """Reading another tenant's payment is 404 without a query to Postgres."""
    payment_id = identity.payment_id("acme", "order-1")
    assert_problem(await globex.get(f"/v1/payments/{payment_id}{path}"), 404, "unknown-payment")


@pytest.mark.parametrize("wrong", ["pay_x", "nonsense", "pay_" + "a" * 30, "pay_%0A", "PAY_"])
async def test_a_mistyped_payment_id_is_404(acme: httpx.AsyncClient, wrong: str) -> None:
    """Text that can't be a payment ID of this tenant is 404 without a query."""
    response = await acme.post(f"/v1/payments/{wrong}/cancel", headers=keyed("k"))
    assert_problem(response, 404, "unknown-payment")


async def test_a_payment_id_with_a_trailing_line_feed_is_404(acme: httpx.AsyncClient) -> None:
    """A regular expression's ``$`` would accept it."""
    payment_id = identity.payment_id("acme", "order-1")
    response = await acme.post(f"/v1/payments/{payment_id}%0A/cancel", headers=keyed("k"))
    assert_problem(response, 404, "unknown-payment")
