"""``GET /v1/payments/{id}/client-secret``: who gets a client secret, and when nobody does."""

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx
import psycopg
import pytest
from psycopg import Connection
from pydantic import SecretStr

from ingress.database import Database
from ingress.metrics import Metrics
from ports.provider import ProviderUnavailableError
from postgres import reads
from schemas import identity
from tests.ingress.harness import TENANT_KEYS, Log, application, assert_problem, client_of
from tests.ingress.store import StoredPayment

pytestmark = pytest.mark.anyio

SECRET: Final = "pi_7_secret_of_the_customer"  # noqa: S105  # a test value
SDK: Final = {"type": "provider_sdk", "url": None}


@dataclass
class Provider:
    """A fake ``ClientSecretReader``."""

    name: str = "stripe"
    secret: str | None = SECRET
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    async def client_secret(self, object_id: str) -> str | None:
        """See ``ClientSecretReader.client_secret``."""
        self.asked.append(object_id)
        if self.failure is not None:
            raise self.failure
        return self.secret

    async def close(self) -> None:
        """See ``ClientSecretReader.close``."""
        self.closed = True


@pytest.fixture
def provider() -> Provider:
    """A provider that answers."""
    return Provider()


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """A connection to the real store."""
    with psycopg.connect(database_url, autocommit=True) as connected:
        yield connected


@pytest.fixture
def waiting(connection: Connection[Any]) -> StoredPayment:
    """A payment of a new tenant that waits for its customer."""
    stored = StoredPayment(connection, f"acme-{uuid.uuid4().hex}", "order-1")
    stored.version("REQUIRES_ACTION", "evt_1", next_action=SDK)
    _has_object(stored)
    return stored


def _has_object(stored: StoredPayment) -> None:
    stored.connection.execute(
        "update payments set object_id = %s where payment_id = %s",
        (f"pi_{stored.id[-12:]}", stored.id),
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The ingress's access to the real store."""
    async with Database(SecretStr(database_url)) as opened:
        yield opened


@pytest.fixture
async def owner(
    waiting: StoredPayment, database: Database, provider: Provider
) -> AsyncIterator[httpx.AsyncClient]:
    """The tenant's client."""
    tenants = {waiting.tenant: TENANT_KEYS["acme"], "globex": TENANT_KEYS["globex"]}
    app = application(Log(), database, Metrics(), tenants, client_secrets={provider.name: provider})
    async with client_of(app) as client:
        yield client


def _path(payment_id: str) -> str:
    return f"/v1/payments/{payment_id}/client-secret"


@pytest.mark.parametrize("action", [SDK, {"type": "redirect", "url": "https://bank.example"}])
async def test_the_owner_gets_the_secret_of_a_waiting_payment(
    owner: httpx.AsyncClient, waiting: StoredPayment, provider: Provider, action: dict[str, Any]
) -> None:
    """It is asked for each time, by the payment's object, and no cache may keep it."""
    waiting.version("REQUIRES_ACTION", "evt_2", next_action=action)
    for _ in range(2):
        response = await owner.get(_path(waiting.id))
        assert response.status_code == httpx.codes.OK
        assert response.json() == {"client_secret": SECRET}
        assert response.headers["cache-control"] == "no-store"
    assert provider.asked == [f"pi_{waiting.id[-12:]}"] * 2


async def test_nobody_else_gets_it(
    owner: httpx.AsyncClient, waiting: StoredPayment, provider: Provider
) -> None:
    """Without an API key, or with another tenant's, the provider is not even asked."""
    for headers, status, slug in (
        ({"Authorization": ""}, 401, "unauthorized"),
        ({"Authorization": f"Bearer {TENANT_KEYS['globex']}"}, 404, "unknown-payment"),
    ):
        assert_problem(await owner.get(_path(waiting.id), headers=headers), status, slug)
    other = identity.payment_id(waiting.tenant, "order-2")
    assert_problem(await owner.get(_path(other)), 404, "unknown-payment")
    assert provider.asked == []


async def test_another_tenant_reads_nothing(waiting: StoredPayment, database: Database) -> None:
    """The query names the tenant, as every read does."""
    for tenant, is_there in ((waiting.tenant, True), ("globex", False)):
        read = partial(reads.waiting, payment_id=waiting.id, tenant=tenant)
        found = await database.run(read, 3.0)
        assert (found is not None) is is_there


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("PROCESSING", None),
        ("SUCCEEDED", None),
        ("REQUIRES_ACTION", {"type": "new_payment_method", "url": None}),
    ],
)
async def test_a_payment_that_does_not_wait_for_its_customer_has_none(
    owner: httpx.AsyncClient,
    waiting: StoredPayment,
    provider: Provider,
    status: str,
    action: dict[str, Any] | None,
) -> None:
    """The provider is not asked."""
    waiting.version(status, "evt_2", next_action=action)
    assert_problem(await owner.get(_path(waiting.id)), 404, "no-client-secret")
    assert provider.asked == []


async def test_a_provider_without_secrets_has_none(
    owner: httpx.AsyncClient, waiting: StoredPayment, provider: Provider
) -> None:
    """The problem says so."""
    provider.secret = None
    problem = assert_problem(await owner.get(_path(waiting.id)), 404, "no-client-secret")
    assert "provider has no client secrets" in problem["detail"]


async def test_a_provider_that_does_not_answer_is_a_503(
    owner: httpx.AsyncClient, waiting: StoredPayment, provider: Provider
) -> None:
    """The response has the time to try again, and nothing of the error."""
    provider.failure = ProviderUnavailableError("rk_live_key in an error")
    response = await owner.get(_path(waiting.id))
    assert_problem(response, 503, "provider-unavailable")
    assert response.headers["retry-after"] == "1"
    assert "rk_live" not in response.text


async def test_without_a_key_nothing_is_served(waiting: StoredPayment, database: Database) -> None:
    """The problem is the operator's to solve."""
    app = application(Log(), database, Metrics(), {waiting.tenant: TENANT_KEYS["acme"]})
    async with client_of(app) as client:
        assert_problem(await client.get(_path(waiting.id)), 501, "client-secrets-off")


async def test_without_postgres_nothing_is_served(no_database: Database) -> None:
    """Nobody knows whose the payment is."""
    provider = Provider()
    app = application(Log(), no_database, Metrics(), client_secrets={"stripe": provider})
    async with client_of(app) as client:
        payment_id = identity.payment_id("acme", "order-1")
        assert_problem(await client.get(_path(payment_id)), 503, "database-unavailable")
    assert provider.asked == []


async def test_the_readers_are_closed_at_shutdown(no_database: Database) -> None:
    """Their connections would stay open."""
    provider = Provider()
    app = application(Log(), no_database, Metrics(), client_secrets={"stripe": provider})
    async with app.router.lifespan_context(app):
        assert not provider.closed
    assert provider.closed
