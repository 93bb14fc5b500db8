"""A command reports a server that accepts connections but never responds, and exits with 2."""

import asyncio
import os
import time
from contextlib import nullcontext

import pytest

from cli import checks
from cli.main import COULD_NOT_RUN, main
from schemas.environment import PREFIX
from tests.messaging.servers import silent_server

pytestmark = pytest.mark.anyio

#: The longest a command may take to give up. Without a limit it took 40 s, or for ever.
WITHIN_S = 12.0


@pytest.mark.parametrize("which", ["Postgres", "Kafka"])
async def test_a_command_names_the_silent_server(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    which: str,
) -> None:
    """Every command that needs the server reports in one line which one didn't respond."""
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
        # typer sets and removes it in each thread, while others read all variables
        monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "1")
        # only the main thread may set a signal's handler, and the commands run in others here
        monkeypatch.setattr(checks, "sigterm_like_ctrl_c", nullcontext)
        began = time.monotonic()
        codes = await asyncio.gather(*(asyncio.to_thread(main, command) for command in commands))
        assert time.monotonic() - began < WITHIN_S
    assert codes == [COULD_NOT_RUN] * len(commands)
    printed = "".join(capfd.readouterr())
    for name, *_ in commands:
        assert f"payments {name}: {which}: " in printed
    assert "secret-word" not in printed
