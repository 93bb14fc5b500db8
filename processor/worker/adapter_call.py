"""Asks an adapter within a deadline, whatever it does: raise anything, hang, or refuse to end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from ports.provider import CallOutcome, Unknown
from runtime.logs import get_logger

log = get_logger(__name__)

#: What was cancelled is given this long to end.
END_WITHIN_S: Final = 2.0


async def call_adapter(
    what: str,
    asking: Coroutine[Any, Any, CallOutcome],
    deadline_s: float,
    strays: set[asyncio.Task[Any]],
) -> tuple[CallOutcome, bool]:
    """The outcome, and whether the adapter itself failed; then the outcome is unknown.

    One that does not even end when it is cancelled is put among the strays until it does.
    ``what`` names the call in the log.
    """
    task = asyncio.create_task(asking, name=f"asking-{what}")
    try:
        await asyncio.wait({task}, timeout=deadline_s)
    finally:
        if not task.done():
            task.cancel()
            strays.add(task)
            task.add_done_callback(strays.discard)
            task.add_done_callback(_noticed)
    if not task.done():
        await asyncio.wait({task}, timeout=END_WITHIN_S)
        if not task.done():
            log.error("call.does_not_end", call_key=what, note="its slot stays taken until it does")
        return Unknown(f"no answer within {deadline_s:g} s"), False
    if task.cancelled():
        log.error("call.failed", call_key=what, note="the adapter was cancelled by itself")
        return Unknown("our adapter failed: CancelledError"), True
    error = task.exception()
    if error is None:
        return task.result(), False
    if not isinstance(error, Exception):
        raise error
    log.error("call.failed", call_key=what, note="the adapter raised", exc_info=error)
    return Unknown(f"our adapter failed: {type(error).__name__}"), True


def _noticed(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # its answer came too late for anybody to take it
