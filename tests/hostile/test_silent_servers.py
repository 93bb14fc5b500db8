"""Servers that accept a connection and do not answer: a command says so, soon, and ends with 2."""

import asyncio
import os
import time

import pytest

from cli.main import COULD_NOT_RUN, main
from schemas.settings import PREFIX
from tests.messaging.servers import silent_server

pytestmark = pytest.mark.anyio

#: The longest a command may take to give up; before there was a limit it took 40 s, or for ever.
WITHIN_S = 12.0


@pytest.mark.parametrize("which", ["Postgres", "Kafka"])
async def test_a_silent_server_is_named(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    which: str,
) -> None:
    """Every command that needs it, at once; each says in one line what gave no answer."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    async with silent_server() as silent:
        if which == "Postgres":
            database = f"postgresql://payments:secret-word@{silent}/payments"
            commands = [["audit"], ["rebuild"], ["replay", "--list"], ["dead-letters"], ["migrate"]]
        else:
            database, commands = database_url, [["audit"], ["dead-letters"], ["topics"]]
        for name, value in {
            "KAFKA_BOOTSTRAP": silent, "DATABASE_URL": database,
            "STRIPE_ACCOUNT": "acct_1", "STRIPE_LIVEMODE": "false",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        began = time.monotonic()
        codes = await asyncio.gather(*(asyncio.to_thread(main, command) for command in commands))
        assert time.monotonic() - began < WITHIN_S
    assert codes == [COULD_NOT_RUN] * len(commands)
    printed = "".join(capfd.readouterr())
    for name, *_ in commands:
        assert f"payments {name}: {which}: " in printed
    assert "secret-word" not in printed
