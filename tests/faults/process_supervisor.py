"""Restarts a program whenever it ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.service.stack import Program

WITHIN_S = 60.0


async def until(condition: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Waits until the condition holds. Fails at the timeout."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.02)  # polling interval


@asynccontextmanager
async def supervised(program: Program) -> AsyncIterator[list[int]]:
    """Restarts the program whenever it ends. Yields the list of its exit codes.

    As in ``subprocess``, a signal's number is negative.
    """
    codes: list[int] = []

    async def supervise() -> None:
        while True:
            code = program.process.poll()
            if code is not None:
                codes.append(code)
                program.start()
            await asyncio.sleep(0.02)  # polling interval

    task = asyncio.create_task(supervise())
    try:
        yield codes
    finally:
        task.cancel()
        await asyncio.wait([task])
