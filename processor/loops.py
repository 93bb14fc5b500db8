"""Runs the background loops side by side, each again after a fault that time mends.

What else goes wrong in a loop ends the process, to be started anew: a loop that has silently
stopped would look like a quiet day.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiokafka.errors import KafkaError

from processor.errors import LoopFailedError, PublishError, StoreUnavailableError
from processor.metrics import WorkMetrics

log = logging.getLogger(__name__)

#: The brokers, Postgres or the network are away; everything a loop does may be repeated.
MENDED_BY_TIME: Final = (KafkaError, PublishError, StoreUnavailableError, OSError)
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0
#: A loop that ran this long before it failed had recovered: its next wait is a first one.
RECOVERED_AFTER_S: Final = 60.0

Loop = Callable[[], Awaitable[None]]


async def run_loops(loops: Mapping[str, Loop], stop: asyncio.Event, metrics: WorkMetrics) -> None:
    """Until ``stop`` is set. Raises LoopFailedError of the first loop that failed for good."""
    stopping = asyncio.create_task(stop.wait())
    tasks = {
        asyncio.create_task(_again_and_again(name, loop, metrics)): name
        for name, loop in loops.items()
    }
    await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in tasks if task.done()]
    for task in (stopping, *tasks):
        task.cancel()
    await asyncio.gather(stopping, *tasks, return_exceptions=True)
    for task in failed:
        cause = None if task.cancelled() else task.exception()
        raise LoopFailedError(f"{tasks[task]} has stopped") from cause


async def _again_and_again(name: str, loop: Loop, metrics: WorkMetrics) -> None:
    longest = FIRST_WAIT_S
    while True:
        started = time.monotonic()
        try:
            await loop()
        except MENDED_BY_TIME:
            metrics.loop_errors.labels(name).inc()
            log.exception("loop.restarted loop=%s", name)
        recovered = time.monotonic() - started > RECOVERED_AFTER_S
        longest = FIRST_WAIT_S if recovered else min(longest * 2, LONGEST_WAIT_S)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # jitter is no secret
