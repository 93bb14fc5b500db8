"""Calls a provider's adapter with a deadline, and contains its errors and hangs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ports.provider import CallOutcome, Unknown
from runtime.logs import get_logger

log = get_logger(__name__)

#: Seconds that a cancelled request may take to end.
CANCEL_TIMEOUT_S: Final = 2.0


async def call_adapter(
    call_key: str,
    request: Coroutine[Any, Any, CallOutcome],
    deadline_s: float,
    on_stuck: Callable[[asyncio.Task[Any]], None],
) -> tuple[CallOutcome, bool]:
    """Runs one request and returns its outcome, and whether the adapter itself failed.

    The outcome is ``Unknown`` if the adapter failed or took longer than ``deadline_s`` seconds.

    Args:
        call_key: names the task.
        request: the adapter's coroutine.
        deadline_s: seconds after which the request is cancelled.
        on_stuck: receives the task of a request that was cancelled, which may take a while to end.
    """
    task = asyncio.create_task(request, name=f"call-{call_key}")
    try:
        await asyncio.wait({task}, timeout=deadline_s)
    finally:
        if not task.done():
            task.cancel()
            on_stuck(task)
            task.add_done_callback(_retrieve_exception)
    if not task.done():
        await asyncio.wait({task}, timeout=CANCEL_TIMEOUT_S)
        if not task.done():
            log.error("call.cancel_ignored", note="its slot stays taken until it ends")
        return Unknown(f"no response within {deadline_s:g} s"), False
    if task.cancelled():
        log.error("call.failed", note="the adapter cancelled itself")
        return Unknown("our adapter failed: CancelledError"), True
    error = task.exception()
    if error is None:
        return task.result(), False
    if not isinstance(error, Exception):
        raise error
    log.error("call.failed", note="the adapter raised", exc_info=error)
    return Unknown(f"our adapter failed: {type(error).__name__}"), True


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Prevents asyncio's warning about an exception that nobody retrieved."""
    if not task.cancelled():
        task.exception()
