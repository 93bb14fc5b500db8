"""Waiting for a condition, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """Returns once the condition holds; a TimeoutError when it doesn't in time."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110  # what is awaited is in another process
            await asyncio.sleep(0.02)
