"""Shares in processes of their own: their errors arrive, and none outlives its starter."""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ports.errors import ShareFailedError, StoreUnavailableError
from processor.ops.rebuild import processes
from tests.support.rooms import ROOT

pytestmark = pytest.mark.anyio
WITHIN_S = 60


@dataclass
class Share:
    """Does nothing, or what its number says, in place of a rebuild's job."""

    path: str = ""

    async def do(self, step: str, share: int, shares: int) -> None:
        """Fails, dies or never ends, if it is the first."""
        assert (step, shares) == ("copy", 2)
        if share and self.path == "notes":
            return
        if share:
            await asyncio.sleep(3600)
        elif self.path == "fails":
            raise StoreUnavailableError("Postgres: gone")
        elif self.path == "dies":
            os.kill(os.getpid(), signal.SIGKILL)


async def _all(path: str) -> None:
    job: Any = Share(path)
    async with asyncio.timeout(WITHIN_S):
        await processes.do_all(job, "copy", 2)


async def test_all_shares_are_done() -> None:
    """It returns when the last has ended."""
    await _all("notes")


async def test_an_error_of_one_ends_the_others() -> None:
    """The error is the share's own, so that the command reports it as it does its own."""
    with pytest.raises(StoreUnavailableError, match="Postgres: gone"):
        await _all("fails")


async def test_a_share_that_is_killed_is_an_error() -> None:
    """What it has finished stays so; the rebuild can go on."""
    with pytest.raises(ShareFailedError, match="ended with -9"):
        await _all("dies")


async def test_a_share_ends_when_its_starter_does() -> None:
    """A killed rebuild leaves no process that goes on beside the next one."""
    what: Sequence[Any] = (Share(), "copy", 1, 2)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "processor.ops.rebuild.processes",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    job = pickle.dumps(what)
    process.stdin.write(len(job).to_bytes(8, "big") + job)
    await process.stdin.drain()
    process.stdin.close()
    async with asyncio.timeout(WITHIN_S):
        assert await process.wait() == 1
