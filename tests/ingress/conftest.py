"""Fixtures of the ingress's tests."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from ingress.database import Database
from ingress.metrics import Metrics
from tests.ingress.harness import NOWHERE, Log, application, client_of


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture
def log() -> Log:
    """An empty log."""
    return Log()


@pytest.fixture
def metrics() -> Metrics:
    """Metrics that count from zero."""
    return Metrics()


@pytest.fixture
async def no_database() -> AsyncIterator[Database]:
    """A database at an address that refuses connections; the ingress must accept without one."""
    async with Database(SecretStr(NOWHERE)) as database:
        yield database


@pytest.fixture
def app(log: Log, no_database: Database, metrics: Metrics) -> FastAPI:
    """An ingress that publishes to ``log`` and has no Postgres."""
    return application(log, no_database, metrics)


@pytest.fixture
async def acme(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the tenant ``acme``."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def globex(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another tenant."""
    async with client_of(app, "globex") as client:
        yield client


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without an API key, such as a provider."""
    async with client_of(app, None) as client:
        yield client
