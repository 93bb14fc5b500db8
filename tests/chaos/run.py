"""One run: start everything, run load and faults together, wait for rest, check."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.driving.client import Client
from tests.chaos.driving.faults import FAULTS, WEBHOOKS, Do, inflict, webhooks_met
from tests.chaos.driving.load import Load
from tests.chaos.driving.observer import observe
from tests.chaos.driving.schedule import Kind, Occurrence, draw
from tests.chaos.history import FaultBegan, FaultEnded, History, Mark, Violation, read
from tests.chaos.judging.check import IndexedHistory
from tests.chaos.judging.verdict import QUIET_WITHIN_S, at_rest, judge
from tests.chaos.stack.world import AS_IT_IS, Service, World, running

HISTORY: Final = "history.jsonl"
#: Seconds of load before the first fault and after the last.
CALM_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Course:
    """The parameters of a run.

    Args:
        seconds: the duration of the faults.
        seed: determines the schedule and the load.
        rate: payments per second.
        faults: the table of faults.
        service: the programs.
    """

    seconds: float
    seed: int
    rate: float
    faults: Sequence[tuple[Kind, Do]] = FAULTS
    service: Service = AS_IT_IS

    @property
    def schedule(self) -> list[Occurrence]:
        """The drawn faults. Raises ValueError if the time is too short for all kinds."""
        return draw([kind for kind, _ in self.faults], self.seconds, self.seed)

    @property
    def kinds(self) -> list[str]:
        """The kinds of faults that must have had an effect."""
        return [*(kind.name for kind, _ in self.faults), *WEBHOOK_KINDS.values()]


#: The simulator's webhook faults, by its names, and their names in the history.
WEBHOOK_KINDS: Final[Mapping[str, str]] = {
    "duplicate": "webhook doubled",
    "reorder": "webhook overtaken",
    "drop": "webhook lost",
}


async def play(course: Course, folder: Path) -> IndexedHistory:
    """Runs a course and returns its history, which is in the folder. Raises SandboxError."""
    schedule = course.schedule
    with History(folder / HISTORY) as history:
        async with running(folder, history, course.seed, course.service) as world:
            await _live(world, course, schedule)
    return indexed(folder, course)


def indexed(folder: Path, course: Course) -> IndexedHistory:
    """Reads a run's history."""
    return IndexedHistory(list(read(folder / HISTORY)), course.kinds)


async def _live(world: World, course: Course, schedule: Sequence[Occurrence]) -> None:
    history, chance = world.history, random.Random(course.seed)  # noqa: S311  # jitter
    client = Client(world.urls("client"), world.stack.api_key, history, chance)
    async with client:
        load = Load(client, world.provider, course.seed)
        here = world.plan.infrastructure
        observing = asyncio.create_task(observe(here.kafka_bootstrap, history, load.observe))
        trouble = asyncio.create_task(_trouble(world, course, schedule))
        try:
            await load.begin(course.rate, course.seconds + 2 * CALM_S)
            await trouble
            await _quiet(world, load)
        finally:
            trouble.cancel()
            await load.stop()
            observing.cancel()
            ended = await asyncio.gather(observing, trouble, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error


async def _trouble(world: World, course: Course, schedule: Sequence[Occurrence]) -> None:
    history = world.history
    numbers = {name: history.number() for name in WEBHOOK_KINDS.values()}
    await world.provider.faults(**WEBHOOKS)
    for name, number in numbers.items():
        history.note(FaultBegan(number=number, kind=name, target="webhooks"))
    await asyncio.sleep(CALM_S)
    history.note(Mark(name="faults"))
    await inflict(world, schedule, course.faults)
    await world.links.heal()
    met = await webhooks_met(world)
    await world.provider.faults()
    for fault, name in WEBHOOK_KINDS.items():
        what = f"{met[fault]} webhooks" if met[fault] else ""
        history.note(FaultEnded(number=numbers[name], kind=name, target="webhooks", met=what))


async def _quiet(world: World, load: Load) -> None:
    """After the faults: waits a minute at most until all is at rest, then checks."""
    history = world.history
    history.note(Mark(name="quiet"))
    deadline = asyncio.get_running_loop().time() + QUIET_WITHIN_S
    await world.until_ready()
    if not await load.until_ended(deadline - asyncio.get_running_loop().time()):
        for what in load.late():
            history.note(Violation(code="L1", what=f"not ended: {what}"))
    for what in load.problems:
        history.note(Violation(code="client", what=what))
    found, waiting = await at_rest(world, deadline)
    for what in waiting:
        history.note(Violation(code="L1", what=what))
    history.note(Mark(name="rest"))
    await asyncio.sleep(1.0)  # the observer's last records
    await judge(world, found)
