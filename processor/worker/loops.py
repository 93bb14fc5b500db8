"""Runs the background loops side by side, each again after whatever ended it.

A fault of one loop is no other's: neither an outage nor an error that nobody foresaw ends the
process. A loop that does not come to its next step, because something it waits for never answers,
is cancelled and begun again. Which loops make progress is what the process' readiness says.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ports.errors import LoopFailedError
from ports.failures import RETRYABLE
from ports.stores import Outbox
from ports.work_items import ClaimedCall
from processor.worker.metrics import WorkerMetrics
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.logs import get_logger
from runtime.tasks import best_effort, is_cancelled

log = get_logger(__name__)

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0
#: A loop that ran this long before it failed had recovered: its next wait is a first one.
RECOVERED_AFTER_S: Final = 60.0
#: One step of a loop takes no longer than that; what it asks has shorter limits of its own.
STEP_S: Final = 120.0
#: How often it is looked at whether a loop makes progress.
LOOK_S: Final = 1.0
#: A loop that was cancelled and has not ended by then is left behind.
END_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop, and the pulse it beats; one that beats none is never late."""

    run: Callable[[], Awaitable[None]]
    heartbeat: Heartbeat = field(default_factory=unmonitored_heartbeat)


class HeartbeatOutbox:
    """A ``Outbox`` whose claims are the steps of the loop that uses it."""

    def __init__(self, inner: Outbox, heartbeat: Heartbeat) -> None:
        self._inner = inner
        self._heartbeat = heartbeat

    async def claim(
        self, providers: Sequence[str], limit: int, now: datetime, lease_until: datetime
    ) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        claimed = await self._inner.claim(providers, limit, now, lease_until)
        self._heartbeat.beat()
        return claimed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def run_loops(loops: Mapping[str, Loop], stop: asyncio.Event, metrics: WorkerMetrics) -> None:
    """Until ``stop`` is set. Raises LoopFailedError of a loop that ended in no known way."""
    stopping = asyncio.create_task(stop.wait())
    tasks = {
        asyncio.create_task(_again_and_again(name, loop, metrics)): name
        for name, loop in loops.items()
    }
    failed: list[asyncio.Task[None]] = []
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
    for task in failed:
        cause = None if task.cancelled() else task.exception()
        raise LoopFailedError(f"{tasks[task]} has stopped") from cause


async def _again_and_again(name: str, loop: Loop, metrics: WorkerMetrics) -> None:
    longest = FIRST_WAIT_S
    while True:
        started = time.monotonic()
        try:
            await _once(name, loop)
            log.error("loop.ended", loop=name, note="it restarts")
        except RETRYABLE:
            log.exception("loop.restarted", loop=name)
        except Exception:
            log.exception("loop.failed", loop=name, note="unforeseen; it restarts")
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            log.exception("loop.cancelled", loop=name, note="nobody cancelled it; it restarts")
        with best_effort("metrics"):
            metrics.loop_errors.labels(name).inc()
        recovered = time.monotonic() - started > RECOVERED_AFTER_S
        longest = FIRST_WAIT_S if recovered else min(longest * 2, LONGEST_WAIT_S)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # jitter is no secret


async def _once(name: str, loop: Loop) -> None:
    """Runs the loop until it ends, or makes no progress any more. Raises what it raised."""
    began = time.monotonic()
    running = asyncio.ensure_future(loop.run())
    try:
        while not running.done():
            await asyncio.wait([running], timeout=LOOK_S)
            if min(loop.heartbeat.silent_s, time.monotonic() - began) > STEP_S:
                break
        if not running.done():
            log.error("loop.stands_still", loop=name)
            raise TimeoutError(f"{name} came to no next step")
    finally:
        running.cancel()
        await asyncio.wait([running], timeout=END_S)
        if running.done() and not running.cancelled():
            running.exception()  # so that it counts as noticed, where something else is raised
    running.result()
