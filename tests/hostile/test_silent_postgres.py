"""A Postgres that lets every client in and then never answers: each program gives it up."""

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
    MigratingConnection,
    OperatingConnection,
    ServingConnection,
)
from postgres.migrate import migrate
from tests.messaging.servers import postgres_that_falls_silent, silent_server
from tests.support.rooms import modules

pytestmark = pytest.mark.anyio

WITHIN_S: Final = 0.3
#: The longest a client may take to notice, beside its own limit.
NOTICED_S: Final = 3.0
#: How a connection is made past ``postgres.deadlines``.
PAST_IT: Final = re.compile(r"psycopg\.connect\(|(?<!\w)AsyncConnection\.connect\(")


@pytest.mark.parametrize("kind", [ServingConnection, OperatingConnection])
async def test_a_statement_that_is_never_answered_ends(
    kind: type[ServingConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an outage, and the connection is closed: what became of the statement nobody knows."""
    monkeypatch.setattr(kind, "answer_within_s", WITHIN_S)
    async with postgres_that_falls_silent() as address, asyncio.timeout(WITHIN_S + NOTICED_S):
        connection = await kind.connect(f"postgresql://pay@{address}/payments", **CONNECTING)
        with pytest.raises(psycopg.OperationalError, match="no answer to a statement"):
            await connection.execute("select 1")
        assert connection.closed


async def test_a_pool_loses_no_connection_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other ends, and there is room for the next."""
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


async def test_migrations_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though their connection is not an asynchronous one."""
    monkeypatch.setattr(MigratingConnection, "answer_within_s", WITHIN_S)
    async with postgres_that_falls_silent() as address, asyncio.timeout(WITHIN_S + NOTICED_S):
        with pytest.raises(psycopg.OperationalError, match="no answer to a statement"):
            await asyncio.to_thread(migrate, f"postgresql://pay@{address}/payments")


async def test_a_server_that_lets_nobody_in_is_given_up() -> None:
    """The same limit for whatever connects."""
    began = time.monotonic()
    async with silent_server() as address:
        with pytest.raises(psycopg.OperationalError):
            await ServingConnection.connect(f"postgresql://pay@{address}/payments", **CONNECTING)
    assert time.monotonic() - began < deadlines.CONNECT_WITHIN_S + NOTICED_S


def test_the_processor_connects_in_no_other_way() -> None:
    """Neither a pool nor a single connection; each with the limits on being let in."""
    for path in modules("cli", "decisions", "messaging", "ports", "postgres", "processor"):
        text = path.read_text()
        assert not PAST_IT.search(text), f"{path.name} connects without a limit on answers"
        pools = len(re.findall(r"\bAsyncConnectionPool\(", text))
        assert len(re.findall(r"connection_class=ServingConnection", text)) == pools, path.name
        served = pools + len(re.findall(r"ServingConnection\.connect\(", text))
        assert len(re.findall(r"(?:\*\*|dict\()CONNECTING", text)) >= served, path.name
