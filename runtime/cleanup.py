"""Parts that are closed at the end, however it comes about, and each on its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from runtime.logs import get_logger

log = get_logger(__name__)

CLOSE_TIMEOUT_S: Final = 8.0


def close_on_exit(stack: AsyncExitStack, name: str, close: Callable[[], Awaitable[object]]) -> None:
    """Has the stack close a part. One that fails or hangs hides no error and stops no other."""

    async def closing() -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await close()
        except Exception:
            log.exception("part.not_closed", part=name)

    stack.push_async_callback(closing)
