"""Runs the background loops concurrently, and restarts each one that ends, fails or stalls.

Neither an outage nor an unforeseen error in one loop affects the others or ends the process. A loop
that makes no progress, because something that it waits for never responds, is cancelled and
restarted. The program's readiness depends on the loops' heartbeats.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ports.errors import LoopFailedError
from ports.failures import RETRYABLE
from ports.stores import Outbox
from ports.work_items import ClaimedCall, LookUpShare
from processor.worker.metrics import WorkerMetrics
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.logs import get_logger
from runtime.tasks import best_effort, is_cancelled

log = get_logger(__name__)

#: The back-off before a restart doubles between these limits, in seconds, and has full jitter.
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0
#: After a run of this many seconds, a loop counts as recovered: its back-off starts over.
RECOVERED_AFTER_S: Final = 60.0
#: Seconds without a heartbeat after which a loop is stalled. Each of its operations has a shorter
#: timeout of its own.
STALLED_AFTER_S: Final = 120.0
#: Seconds between two checks of a loop's heartbeat.
CHECK_EVERY_S: Final = 1.0
#: Seconds that a cancelled loop may take to end before it is abandoned.
CANCEL_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop and its heartbeat. The default heartbeat is never late."""

    run: Callable[[], Awaitable[None]]
    heartbeat: Heartbeat = field(default_factory=unmonitored_heartbeat)


class HeartbeatOutbox:
    """An ``Outbox`` that beats a heartbeat at each claim."""

    def __init__(self, inner: Outbox, heartbeat: Heartbeat) -> None:
        self._inner = inner
        self._heartbeat = heartbeat

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        claimed = await self._inner.claim(provider, limit, now, lease_until, look_ups)
        self._heartbeat.beat()
        return claimed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def run_loops(loops: Mapping[str, Loop], stop: asyncio.Event, metrics: WorkerMetrics) -> None:
    """Runs the loops until ``stop`` is set.

    Raises:
        LoopFailedError: a loop raised something that must end the process, such as SystemExit.
    """
    stopping = asyncio.create_task(stop.wait())
    tasks = {
        asyncio.create_task(_run_forever(name, loop, metrics)): name for name, loop in loops.items()
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


async def _run_forever(name: str, loop: Loop, metrics: WorkerMetrics) -> None:
    """Restarts the loop whenever it ends, with back-off and jitter."""
    longest = FIRST_WAIT_S
    while True:
        started = time.monotonic()
        try:
            await _run_until_stalled(name, loop)
            log.error("loop.ended", loop=name, note="restarting")
        except RETRYABLE:
            log.exception("loop.interrupted", loop=name, note="retryable; restarting")
        except Exception:
            log.exception("loop.failed", loop=name, note="unforeseen; restarting")
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            log.exception("loop.cancelled", loop=name, note="not by us; restarting")
        with best_effort("metrics"):
            metrics.loop_errors.labels(name).inc()
        recovered = time.monotonic() - started > RECOVERED_AFTER_S
        longest = FIRST_WAIT_S if recovered else min(longest * 2, LONGEST_WAIT_S)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # jitter is no secret


async def _run_until_stalled(name: str, loop: Loop) -> None:
    """Runs the loop until it ends or stalls. Raises what it raised, or TimeoutError."""
    began = time.monotonic()
    running = asyncio.ensure_future(loop.run())
    try:
        while not running.done():
            await asyncio.wait([running], timeout=CHECK_EVERY_S)
            if min(loop.heartbeat.silent_s, time.monotonic() - began) > STALLED_AFTER_S:
                break
        if not running.done():
            log.error("loop.stalled", loop=name, after_s=STALLED_AFTER_S)
            raise TimeoutError(f"{name} made no progress")
    finally:
        running.cancel()
        await asyncio.wait([running], timeout=CANCEL_TIMEOUT_S)
        if running.done() and not running.cancelled():
            running.exception()  # retrieved: something else may be raised instead
    running.result()
