"""A Postgres that accepts connections and then never responds; each program times out."""

import asyncio
import re
import time
from typing import Any, Final

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from postgres import deadlines
from postgres.deadlines import (
    CONNECTING,
    BlockingConnection,
    OperatingConnection,
    ServingConnection,
)
from postgres.migrate import migrate
from tests.messaging.servers import postgres_that_falls_silent, silent_server
from tests.support.rooms import modules

pytestmark = pytest.mark.anyio

WITHIN_S: Final = 0.3
#: The tolerance on top of the client's own limit.
NOTICED_S: Final = 3.0
#: Connecting without ``postgres.deadlines``.
WITHOUT_DEADLINES: Final = re.compile(r"psycopg\.connect\(|(?<!\w)AsyncConnection\.connect\(")


@pytest.mark.parametrize("kind", [ServingConnection, OperatingConnection])
async def test_a_statement_without_a_response_times_out(
    kind: type[ServingConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an outage. The connection is closed, since the statement's outcome is unknown."""
    monkeypatch.setattr(kind, "answer_within_s", WITHIN_S)
    async with postgres_that_falls_silent() as address, asyncio.timeout(WITHIN_S + NOTICED_S):
        connection = await kind.connect(f"postgresql://pay@{address}/payments", **CONNECTING)
        with pytest.raises(psycopg.OperationalError, match="no answer to a statement"):
            await connection.execute("select 1")
        assert connection.closed


def test_an_operators_statement_may_take_longer() -> None:
    """An audit reads whole tables. A batch of the stream must end before its worker is replaced."""
    assert OperatingConnection.answer_within_s >= 60 * ServingConnection.answer_within_s
    assert ServingConnection.answer_within_s <= 30.0


async def test_a_pool_replaces_connections_that_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of one connection serves the next client after each timeout."""
    monkeypatch.setattr(ServingConnection, "answer_within_s", WITHIN_S)
    async with postgres_that_falls_silent() as address:
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            f"postgresql://pay@{address}/payments",
            connection_class=ServingConnection,
            kwargs=dict(CONNECTING),
            min_size=1,
            max_size=1,
            open=False,
        )
        await pool.open()
        try:
            for _ in range(3):
                with pytest.raises(psycopg.OperationalError, match="no answer"):
                    async with pool.connection(NOTICED_S) as connection:
                        await connection.execute("select 1")
        finally:
            await pool.close(1.0)


async def test_migrations_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their synchronous connection has a timeout, too."""
    monkeypatch.setattr(BlockingConnection, "answer_within_s", WITHIN_S)
    async with postgres_that_falls_silent() as address, asyncio.timeout(WITHIN_S + NOTICED_S):
        with pytest.raises(psycopg.OperationalError, match="no answer to a statement"):
            await asyncio.to_thread(migrate, f"postgresql://pay@{address}/payments")


async def test_connecting_to_a_silent_server_times_out() -> None:
    """A server that never completes the start-up handshake is an outage."""
    began = time.monotonic()
    async with silent_server() as address:
        with pytest.raises(psycopg.OperationalError):
            await ServingConnection.connect(f"postgresql://pay@{address}/payments", **CONNECTING)
    assert time.monotonic() - began < deadlines.CONNECT_WITHIN_S + NOTICED_S


def test_the_processor_has_no_connection_without_timeouts() -> None:
    """Every pool and every single connection has timeouts for connecting and for statements."""
    for path in modules("cli", "decisions", "messaging", "ports", "postgres", "processor"):
        text = path.read_text()
        assert not WITHOUT_DEADLINES.search(text), f"{path.name} has a connection without timeouts"
        pools = len(re.findall(r"\bAsyncConnectionPool\(", text))
        assert len(re.findall(r"connection_class=ServingConnection", text)) == pools, path.name
        served = pools + len(re.findall(r"ServingConnection\.connect\(", text))
        assert len(re.findall(r"(?:\*\*|dict\()CONNECTING", text)) >= served, path.name
