"""Who may ask: API keys and tenants."""

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
async def test_a_known_key_is_needed(
    nobody: httpx.AsyncClient, log: Log, method: str, path: str, authorization: str | None
) -> None:
    """Without a key somebody knows nothing is read, said or published, whatever else is wrong."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await nobody.request(method, path, headers=headers, content=b"{")
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "key-of-acme" not in answer.text
    assert log.records == []


async def test_the_scheme_is_case_insensitive(nobody: httpx.AsyncClient) -> None:
    """``bearer`` is ``Bearer`` (RFC 9110)."""
    headers = {"Authorization": f"bearer {TENANT_KEYS['acme']}", **keyed("a")}
    assert (await nobody.post("/v1/payments", json=PAYMENT, headers=headers)).status_code == 202


async def test_the_hash_of_a_key_is_no_key(nobody: httpx.AsyncClient) -> None:
    """Who reads the settings can't use the API with what stands there."""
    stored = "6f0c2d9a" * 8
    answer = await nobody.get("/v1/payments", headers={"Authorization": f"Bearer {stored}"})
    assert_problem(answer, 401, "unauthorized")


async def test_one_key_is_two_payments_for_two_tenants(
    acme: httpx.AsyncClient, globex: httpx.AsyncClient
) -> None:
    """An Idempotency-Key belongs to its tenant."""
    ours = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    theirs = await globex.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    assert ours.json()["id"] != theirs.json()["id"]


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refunds"])
async def test_anothers_payment_is_not_there(
    globex: httpx.AsyncClient, log: Log, operation: str
) -> None:
    """An operation on another tenant's payment is 404 at once, and nothing is published."""
    theirs = identity.payment_id("acme", "order-1")
    path = f"/v1/payments/{theirs}/{operation}"
    assert_problem(await globex.post(path, headers=keyed("k")), 404, "unknown-payment")
    assert log.records == []


@pytest.mark.parametrize("path", ["", "/timeline"])
async def test_anothers_payment_is_not_readable(globex: httpx.AsyncClient, path: str) -> None:
    """Reading another tenant's payment is 404 without a look into Postgres."""
    theirs = identity.payment_id("acme", "order-1")
    assert_problem(await globex.get(f"/v1/payments/{theirs}{path}"), 404, "unknown-payment")


@pytest.mark.parametrize("wrong", ["pay_x", "nonsense", "pay_" + "a" * 30, "pay_%0A", "PAY_"])
async def test_a_mistyped_id_is_not_there(acme: httpx.AsyncClient, wrong: str) -> None:
    """What can't be a payment ID of this tenant is 404 at once."""
    answer = await acme.post(f"/v1/payments/{wrong}/cancel", headers=keyed("k"))
    assert_problem(answer, 404, "unknown-payment")


async def test_an_id_with_something_behind_it_is_not_there(acme: httpx.AsyncClient) -> None:
    """A line feed behind an ID makes it another text, though a regex's ``$`` would forgive it."""
    ours = identity.payment_id("acme", "order-1")
    answer = await acme.post(f"/v1/payments/{ours}%0A/cancel", headers=keyed("k"))
    assert_problem(answer, 404, "unknown-payment")
