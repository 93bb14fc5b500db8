"""When the worker ends, it closes its clients, its producer and its connections."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from messaging.sender import Sender
from ports.errors import LoopFailedError
from ports.provider import ProviderClient
from postgres.stores import PostgresOutbox
from processor.worker import bootstrap as program
from processor.worker.bootstrap import WorkerParts
from runtime import cleanup
from runtime.cleanup import close_on_exit
from sandbox.supervision.ports import free_ports
from tests.messaging.leftovers import nothing_left
from tests.support.fakes import Provider
from tests.support.log_lines import lines

pytestmark = pytest.mark.anyio


class Closing(Provider):
    """A client that counts how often it was closed."""

    closed = 0

    async def close(self) -> None:
        """See ``ProviderClient.close``."""
        self.closed += 1


class EndError(BaseException):
    """An error after which no loop restarts."""


async def test_all_is_closed_when_a_loop_fails(
    kafka_bootstrap: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that can't restart ends the process; no client and no producer stays open."""
    for name in [name for name in os.environ if name.startswith("PAYMENTS_")]:
        monkeypatch.delenv(name)
    (port,) = free_ports(1)
    for name, value in {
        "KAFKA_BOOTSTRAP": kafka_bootstrap, "DATABASE_URL": database_url,
        "METRICS_PORT": str(port), "STRIPE_API_KEY": "sk_test_nothing",
        "STRIPE_ACCOUNT": "acct_test", "STRIPE_LIVEMODE": "false",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"PAYMENTS_{name}", value)
    monkeypatch.setattr(
        program, "serve", lambda *_: None
    )  # its thread would last as long as the process
    client, senders = Closing(), list[Sender]()

    class Failing(PostgresOutbox):
        async def claim(self, *_: Any) -> Any:
            raise EndError

    def sender(bootstrap: str, client_id: str, deadline_s: float) -> Sender:
        senders.append(Sender(bootstrap, client_id, deadline_s))
        senders[0]._producer.connect()
        return senders[0]

    def clients(*_: object) -> Mapping[str, ProviderClient]:
        return {"stripe": client}

    async with nothing_left():
        with pytest.raises(LoopFailedError):
            await program._run(WorkerParts(Failing, sender, clients))
    assert client.closed == 2, "the dispatcher's and the sweeps'"
    assert senders[0]._producer._instances.current is None


async def test_a_part_that_cannot_be_closed_keeps_no_other_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A close that raises and one that hangs are logged; the original error is raised."""
    monkeypatch.setattr(cleanup, "CLOSE_TIMEOUT_S", 0.1)
    closed: list[str] = []

    async def close() -> None:
        closed.append("last")

    async def fail() -> None:
        raise OSError("broken")

    async def run() -> None:
        async with AsyncExitStack() as stack:
            close_on_exit(stack, "first", close)
            close_on_exit(stack, "raising", fail)
            close_on_exit(stack, "hanging", asyncio.Event().wait)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run()
    assert closed == ["last"]
    assert [line["part"] for line in lines(caplog, "part.close_failed")] == ["hanging", "raising"]
