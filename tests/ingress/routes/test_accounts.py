"""Several accounts at one provider: each has its webhooks' address, and tenants of its own."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from ingress.metrics import Metrics
from providers.stripe.webhooks import StripeWebhooks
from schemas import headers, identity
from schemas.accounts.provider_accounts import TenantAccounts
from schemas.commands import VALUE, CreatePayment
from tests.ingress.harness import (
    PAYMENT,
    SECRETS,
    FakeStore,
    Log,
    application,
    assert_problem,
    client_of,
    event,
    keyed,
    signed,
)

pytestmark = pytest.mark.anyio

SECOND = "whsec_of_the_second_account"
PAYMENT_ID = identity.payment_id("acme", "order-1")
ABOUT = {"id": "pi_1", "metadata": {"payment_id": PAYMENT_ID}}
TENANTS = {"acme": TenantAccounts(default="second", allowed=("shop",))}


@pytest.fixture
def app(log: Log, metrics: Metrics) -> FastAPI:
    """The application, with a second account that is a platform, and a shop connected to it."""
    reader = StripeWebhooks(
        [SecretStr(SECOND)], 300, lambda: datetime.now(UTC), "second", {"acct_shop": "shop"}
    )
    shop = StripeWebhooks([SecretStr("whsec_unused")], 300, lambda: datetime.now(UTC), "shop")
    return application(log, FakeStore(), metrics, further=(reader, shop), tenant_accounts=TENANTS)


async def _deliver(app: FastAPI, path: str, body: bytes, secret: str) -> httpx.Response:
    async with client_of(app, None) as provider:
        return await provider.post(path, content=body, headers=signed(body, secret))


async def test_an_account_has_an_address_of_its_own(app: FastAPI, log: Log) -> None:
    """Its webhooks are recorded under its name, those of the bare address under the provider's."""
    for path, secret in (("/webhooks/stripe/second", SECOND), ("/webhooks/stripe", SECRETS[0])):
        response = await _deliver(app, path, event(ABOUT), secret)
        assert response.status_code == 200
    named = [dict(record.headers)[headers.PROVIDER] for record in log.records]
    assert named == [b"second", b"stripe"]


@pytest.mark.parametrize(
    ("path", "secret"), [("/webhooks/stripe/second", SECRETS[0]), ("/webhooks/stripe", SECOND)]
)
async def test_another_accounts_secret_opens_no_address(
    app: FastAPI, log: Log, path: str, secret: str
) -> None:
    """Who may write in one account can't speak for another."""
    response = await _deliver(app, path, event(ABOUT), secret)
    assert_problem(response, 400, "invalid-signature")
    assert log.records == []


async def test_what_is_wrong_with_an_accounts_webhooks_is_counted_for_it(
    app: FastAPI, log: Log, metrics: Metrics
) -> None:
    """Of many accounts, the one whose secret or endpoint is wrong has to be found."""
    assert (await _deliver(app, "/webhooks/stripe/second", event(ABOUT), SECRETS[0])).is_error
    assert (await _deliver(app, "/webhooks/stripe/second", b"[]", SECOND)).is_success
    refused = metrics.rejected_webhooks.labels("second", "invalid-signature")
    unreadable = metrics.unreadable_webhooks.labels("second")
    assert (refused._value.get(), unreadable._value.get()) == (1, 1)
    assert dict(log.records[0].headers)[headers.PROVIDER] == b"second"


@pytest.mark.parametrize(
    "path",
    ["/webhooks/second", "/webhooks/stripe/none", "/webhooks/examplepay/second",
     "/webhooks/stripe/second/x", "/webhooks/stripe/"],
)  # fmt: skip
async def test_no_other_address_exists(app: FastAPI, log: Log, path: str) -> None:
    """An account belongs to its provider, and only the provider's own has the bare address."""
    response = await _deliver(app, path, event(ABOUT), SECOND)
    assert response.status_code == 404
    assert log.records == []


@pytest.mark.parametrize(
    ("account", "recorded"), [("acct_shop", b"shop"), ("acct_else", b"second"), (None, b"second")]
)
async def test_a_platforms_address_has_the_events_of_its_connected_accounts(
    app: FastAPI, log: Log, account: str | None, recorded: bytes
) -> None:
    """An unknown connected account's stay with the platform, for which they are foreign."""
    body = event(ABOUT, account=account)
    response = await _deliver(app, "/webhooks/stripe/second", body, SECOND)
    assert response.status_code == 200
    assert dict(log.records[0].headers)[headers.PROVIDER] == recorded


@pytest.mark.parametrize(
    ("tenant", "named", "expected"),
    [("acme", None, "second"), ("acme", "shop", "shop"), ("globex", None, "stripe")],
)
async def test_a_payment_has_the_account_it_names_or_its_tenants_default(
    app: FastAPI, log: Log, tenant: str, named: str | None, expected: str
) -> None:
    """A tenant that the file does not name has the environment's."""
    async with client_of(app, tenant) as client:
        body = PAYMENT if named is None else {**PAYMENT, "provider": named}
        response = await client.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert response.status_code == 202
    command = VALUE.validate_json(log.records[0].value)
    assert isinstance(command, CreatePayment)
    assert command.provider == expected


@pytest.mark.parametrize(("tenant", "named"), [("acme", "stripe"), ("globex", "second")])
async def test_no_tenant_uses_an_account_that_it_may_not(
    app: FastAPI, log: Log, tenant: str, named: str
) -> None:
    """The problem lists those that it may use, and no other."""
    async with client_of(app, tenant) as client:
        body = {**PAYMENT, "provider": named}
        response = await client.post("/v1/payments", json=body, headers=keyed("order-1"))
    problem = assert_problem(response, 422, "invalid-fields")
    usable = {"acme": "second, shop", "globex": "examplepay, stripe"}[tenant]
    assert problem["errors"] == [{"field": "provider", "problem": f"Use one of: {usable}"}]
    assert log.records == []


async def test_a_retry_has_its_answer_once_the_account_is_withdrawn(
    log: Log, metrics: Metrics
) -> None:
    """Otherwise its client would pay again."""
    tenants = dict(TENANTS)
    rules = StripeWebhooks([SecretStr(SECOND)], 300, lambda: datetime.now(UTC), "second")
    app = application(log, FakeStore(), metrics, further=(rules,), tenant_accounts=tenants)
    async with client_of(app) as acme:
        body = {**PAYMENT, "provider": "second"}
        first = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
        tenants["acme"] = TenantAccounts(default="stripe")
        again = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
        other = await acme.post("/v1/payments", json=body, headers=keyed("order-2"))
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert again.json() == first.json()
    assert len(log.records) == 1


async def test_the_document_has_the_accounts_addresses(app: FastAPI) -> None:
    """With the names that there are."""
    async with app.router.lifespan_context(app), client_of(app, None) as anybody:
        paths = (await anybody.get("/openapi.json")).json()["paths"]
    schemas = {
        path: {p["name"]: p["schema"]["enum"] for p in paths[path]["post"]["parameters"]}
        for path in ("/webhooks/{provider}", "/webhooks/{provider}/{account}")
    }
    assert schemas == {
        "/webhooks/{provider}": {"provider": ["examplepay", "stripe"]},
        "/webhooks/{provider}/{account}": {"provider": ["stripe"], "account": ["second", "shop"]},
    }
