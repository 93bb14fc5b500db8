"""The run that finds each planted bug, with only the faults that lead to it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import psycopg

from tests.chaos.driving.faults import Inject, killed, provider
from tests.chaos.driving.schedule import Kind, Occurrence
from tests.chaos.judging.check import IndexedHistory, check
from tests.chaos.planted import BUGS, NONE
from tests.chaos.run import RunConfig
from tests.chaos.stack.topology import STREAMS
from tests.chaos.stack.world import UNCHANGED, Service, World
from tests.conftest import PARTITIONS
from tests.faults.failpoints import Action, Failpoint, Trap

SECONDS: Final = 40.0
RATE: Final = 6.0
SEED: Final = 11
#: Short, so that the group soon excludes a paused worker.
SESSION: Final = timedelta(seconds=2)
ENVIRONMENT: Final = {"PAYMENTS_SESSION_TIMEOUT_S": f"{SESSION.seconds}"}
#: The number of partitions with commits after a given time.
COMMITTED: Final = "select count(distinct partition) from publications where committed_at > %s"
TAKEN_OVER_WITHIN_S: Final = 20.0
POLL_S: Final = 0.05
FIRED_WITHIN_S: Final = 15.0


async def paused_at(world: World, one: Occurrence, *, place: Failpoint) -> str:
    """Stops the worker at this failpoint, and continues it after a take-over of its partitions."""
    trap, process = Trap(world.plan.traps, one.target), world.processes[one.target]
    trap.set(place, Action.STOP)
    has_fired = await _within(FIRED_WITHIN_S, _as_async(lambda: trap.has_fired))
    trap.clear()
    if not has_fired:
        return ""
    since = datetime.now(UTC)
    await _within(TAKEN_OVER_WITHIN_S, lambda: _taken_over(world, since))
    await asyncio.sleep(one.lasts)
    return f"pid {process.resume()} was stopped for {datetime.now(UTC) - since} at {place}"


async def killed_at(world: World, one: Occurrence, *, place: Failpoint) -> str:
    """Kills the worker at this failpoint. The supervisor restarts it."""
    trap = Trap(world.plan.traps, one.target)
    trap.set(place, Action.KILL)
    has_fired = await _within(FIRED_WITHIN_S, _as_async(lambda: trap.has_fired))
    trap.clear()
    return f"killed at {place}" if has_fired else ""


async def _within(seconds: float, holds: Callable[[], Awaitable[bool]]) -> bool:
    """Polls a condition; returns whether it held within the time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (found := await holds()) and loop.time() < deadline:  # noqa: ASYNC110  # it is in another process
        await asyncio.sleep(POLL_S)  # polling interval
    return found


def _as_async(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return holds()

    return condition


async def _taken_over(world: World, since: datetime) -> bool:
    """Whether every partition has commits again: others took over the stopped worker's."""
    url = world.plan.infrastructure.database_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute(COMMITTED, [since + SESSION])
        (partitions,) = await found.fetchone() or (0,)
        return bool(partitions == PARTITIONS)


_KILLED: Final = ((Kind("stream killed", STREAMS, (2, 4)), killed),)
_SILENT: Final = (
    (
        Kind("provider silent", ("provider",), (2, 4), (5, 8)),
        partial(provider, faults={"timeout_after": 0.7, "timeout_hold_s": 4.0}),
    ),
)


def _killed(place: Failpoint) -> tuple[tuple[Kind, Inject], ...]:
    """Kills a worker in the middle of its work. Killed at random times, a group rarely has any."""
    kind = Kind("stream killed", STREAMS, (6, 8))
    return ((kind, partial(killed_at, place=place)),)


def _paused(place: Failpoint) -> tuple[tuple[Kind, Inject], ...]:
    """Stops a worker until others have taken over its partitions."""
    kind = Kind("stream asleep", STREAMS, (6, 8), (2, 3), "silent")
    return ((kind, partial(paused_at, place=place)),)


@dataclass(frozen=True, slots=True)
class BugRun:
    """The faults that find a bug, and texts. One text must be in a violation."""

    faults: Sequence[tuple[Kind, Inject]]
    symptoms: Sequence[str]


BUG_RUNS: Final[Mapping[str, BugRun]] = {
    "ack-before-publish": BugRun(_killed(Failpoint.BEFORE_PUBLISH), ("published were [",)),
    "no-dedup": BugRun(_KILLED, ("outcomes: ['applied', ",)),
    "no-version-guard": BugRun(_paused(Failpoint.AFTER_LOAD), ("S3: ", " version ")),
    "no-fence": BugRun(_paused(Failpoint.BEFORE_PUBLISH), (" after ",)),
    "new-key-on-retry": BugRun(_SILENT, ("two objects for one ",)),
}


def config(name: str, *, planted: bool = True) -> RunConfig:
    """The run that finds a bug. With ``planted=False`` it runs without the bug."""
    bug = name if planted else NONE
    programs = {each: ("tests.chaos.planted", bug, each) for each in ("stream", "worker")}
    service = Service({**UNCHANGED.modules, **programs}, ENVIRONMENT, BUGS[bug].statements)
    return RunConfig(SECONDS, SEED, RATE, BUG_RUNS[name].faults, service)


def is_found(name: str, history: IndexedHistory) -> bool:
    """Whether a run's violations show the bug."""
    found = [what for violations in check(history).values() for what in violations]
    return any(symptom in what for symptom in BUG_RUNS[name].symptoms for what in found)
