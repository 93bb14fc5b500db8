"""Waits for conditions, instead of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """Waits until the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110  # what is awaited is in another process
            await asyncio.sleep(0.02)
