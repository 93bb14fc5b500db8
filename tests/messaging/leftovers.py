"""Checks that a component leaves nothing behind: tasks, sockets and unhandled errors."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.waiting import until

SETTLED_WITHIN_S = 10.0


def _sockets() -> set[str]:
    """Returns every open socket of this process."""
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the handle that lists them is closed by now
            found.add(str(handle.readlink()))
    return {to for to in found if to.startswith("socket:")}


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """The block leaves no task, no socket, no ResourceWarning and no unhandled error behind."""
    loop, unhandled = asyncio.get_running_loop(), list[dict[str, Any]]()
    tasks, sockets = asyncio.all_tasks(), _sockets()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: unhandled.append(context))
    try:
        yield

        async def gone() -> bool:
            gc.collect()
            return asyncio.all_tasks() <= tasks and _sockets() <= sockets

        try:
            await until(gone, SETTLED_WITHIN_S)
        except TimeoutError:
            assert asyncio.all_tasks() - tasks == set()
            assert _sockets() - sockets == set()
        assert unhandled == []
    finally:
        loop.set_exception_handler(handler)
