"""What a supervisor does: it restarts a program when it ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.service.stack import Program

WITHIN_S = 60.0


async def until(condition: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Waits for it; fails when it takes too long."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {within_s} s: {what}"
        await asyncio.sleep(0.02)  # between two looks at one condition


@asynccontextmanager
async def kept(program: Program) -> AsyncIterator[list[int]]:
    """Restarts the program whenever it ends. Yields the list of its exit codes.

    As in ``subprocess``, a signal's number is negative.
    """
    codes: list[int] = []

    async def keep() -> None:
        while True:
            code = program.process.poll()
            if code is not None:
                codes.append(code)
                program.start()
            await asyncio.sleep(0.02)  # between two looks at one condition

    keeping = asyncio.create_task(keep())
    try:
        yield codes
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
