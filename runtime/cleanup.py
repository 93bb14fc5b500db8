"""Closes a program's parts on exit."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from runtime.logs import get_logger

log = get_logger(__name__)

#: Seconds that one part may take to close.
CLOSE_TIMEOUT_S: Final = 8.0


def close_on_exit(stack: AsyncExitStack, name: str, close: Callable[[], Awaitable[object]]) -> None:
    """Closes a part when the stack exits.

    A close that fails or takes longer than ``CLOSE_TIMEOUT_S`` is logged. It neither replaces the
    error that ended the program nor keeps the other parts from closing.

    Args:
        stack: the program's exit stack.
        name: names the part in the log.
        close: closes the part.
    """

    async def close_part() -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await close()
        except Exception:
            log.exception("part.close_failed", part=name)

    stack.push_async_callback(close_part)
