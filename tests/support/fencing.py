"""Silences the futures that fenced producers leave behind; their errors were raised elsewhere."""

import asyncio
from typing import Any, Final

from aiokafka.errors import ProducerFenced

_MARK: Final = "expects_fencing"


def expect_fencing() -> None:
    """Makes this loop ignore unawaited futures that ended with ``ProducerFenced``."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    if hasattr(before, _MARK):
        return

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), ProducerFenced):
            return
        if before is None:
            loop.default_exception_handler(context)
        else:
            before(loop, context)

    setattr(handle, _MARK, True)
    loop.set_exception_handler(handle)
