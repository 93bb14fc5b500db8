"""A real store, and clients of two tenants whose payments no other test has."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import Connection
from pydantic import SecretStr

from ingress.database import Database
from ingress.metrics import Metrics
from tests.ingress.harness import TENANT_KEYS, Log, application, client_of
from tests.ingress.store import Store, StoredPayment


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """A connection to the real store."""
    with psycopg.connect(database_url, autocommit=True) as connected:
        yield connected


@pytest.fixture
def run() -> str:
    """A unique ID that separates this test's rows from others."""
    return uuid.uuid4().hex


@pytest.fixture
def store(connection: Connection[Any], run: str) -> Store:
    """A function that stores a tenant's payment for this test only."""

    def payment(key: str, tenant: str = "acme", **fields: Any) -> StoredPayment:
        return StoredPayment(connection, f"{tenant}-{run}", key, **fields)

    return payment


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The ingress's own pool."""
    async with Database(SecretStr(database_url)) as opened:
        yield opened


@pytest.fixture
async def clients(
    database: Database, log: Log, metrics: Metrics, run: str
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A client of each tenant."""
    tenants = {f"{name}-{run}": key for name, key in TENANT_KEYS.items()}
    app = application(log, database, metrics, tenants)
    async with client_of(app) as acme, client_of(app, "globex") as globex:
        yield {"acme": acme, "globex": globex}


@pytest.fixture
def acme(clients: dict[str, httpx.AsyncClient]) -> httpx.AsyncClient:
    """The client of the tenant that has the payments."""
    return clients["acme"]
