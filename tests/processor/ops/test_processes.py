"""Shares in processes of their own: their errors arrive, and none outlives its starter."""

import asyncio
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from ports.errors import ShareFailedError, StoreUnavailableError
from processor.ops import processes
from processor.ops.processes import Receive
from tests.support.rooms import ROOT

pytestmark = pytest.mark.anyio
WITHIN_S = 60


@dataclass
class Share:
    """The first does what its name says, the second sends its number."""

    name: str
    number: int = 0

    async def do(self, send: Receive) -> None:
        """Sends, fails, dies or never ends."""
        print("whatever else is printed is no message")  # noqa: T201  # as a library may
        if self.number or self.name == "sends":
            send(self.number)
            if self.name != "sends":
                await asyncio.sleep(3600)
        elif self.name == "fails":
            raise StoreUnavailableError("Postgres: gone")
        elif self.name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            await asyncio.sleep(3600)


async def _all(name: str, receive: Receive | None = None) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(WITHIN_S):
        await processes.do_all([Share(name), Share(name, 1)], receive or found.append)
    return found


async def test_all_shares_are_done() -> None:
    """What they send arrives, and it returns when the last has ended."""
    assert sorted(await _all("sends")) == [0, 1]


async def test_one_share_is_done_here() -> None:
    """Without another process."""
    found: list[Any] = []
    await processes.do_all([Share("sends", 7)], found.append)
    assert found == [7]


async def test_an_error_of_one_ends_the_others() -> None:
    """The error is the share's own, so that the command reports it as it does its own."""
    with pytest.raises(StoreUnavailableError, match="Postgres: gone"):
        await _all("fails")


async def test_an_error_of_the_receiver_ends_all() -> None:
    """As where the user stops the command."""

    def refuse(_: object) -> None:
        raise StoreUnavailableError("stopped")

    with pytest.raises(StoreUnavailableError, match="stopped"):
        await _all("waits", refuse)


async def test_a_share_that_is_killed_is_an_error() -> None:
    """What it has finished stays so; the work can go on."""
    with pytest.raises(ShareFailedError, match="ended with -9"):
        await _all("dies")


async def test_a_share_ends_when_its_starter_does() -> None:
    """A killed command leaves no process that goes on beside the next one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "processor.ops.processes",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    share = pickle.dumps(Share("waits"))
    process.stdin.write(len(share).to_bytes(8, "big") + share)
    await process.stdin.drain()
    process.stdin.close()
    async with asyncio.timeout(WITHIN_S):
        assert await process.wait() == 1
