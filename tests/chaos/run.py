"""One run: starts everything, runs load and faults together, waits for rest, checks."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.driving.client import Client
from tests.chaos.driving.faults import FAULTS, WEBHOOKS, Inject, inject, webhooks_affected
from tests.chaos.driving.load import Load
from tests.chaos.driving.observer import observe
from tests.chaos.driving.schedule import Kind, Occurrence, draw
from tests.chaos.history import FaultBegan, FaultEnded, History, Mark, Violation, read
from tests.chaos.judging.check import IndexedHistory
from tests.chaos.judging.verdict import QUIET_WITHIN_S, at_rest, judge, read_answers
from tests.chaos.stack.world import UNCHANGED, Service, World, running

HISTORY: Final = "history.jsonl"
#: Seconds of load before the first fault and after the last.
LOAD_ONLY_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class RunConfig:
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
    faults: Sequence[tuple[Kind, Inject]] = FAULTS
    service: Service = UNCHANGED

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
    "duplicate": "webhook duplicated",
    "reorder": "webhook reordered",
    "drop": "webhook lost",
}


async def run_chaos(config: RunConfig, folder: Path) -> IndexedHistory:
    """Performs a run in this folder and returns its history. Raises SandboxError."""
    schedule = config.schedule
    with History(folder / HISTORY) as history:
        async with running(folder, history, config.seed, config.service) as world:
            await _run_load(world, config, schedule)
    return indexed(folder, config)


def indexed(folder: Path, config: RunConfig) -> IndexedHistory:
    """Reads a run's history."""
    return IndexedHistory(list(read(folder / HISTORY)), config.kinds)


async def _run_load(world: World, config: RunConfig, schedule: Sequence[Occurrence]) -> None:
    history, chance = world.history, random.Random(config.seed)  # noqa: S311  # jitter
    client = Client(world.urls("client"), world.stack.api_key, history, chance)
    async with client:
        load = Load(client, world.provider, config.seed)
        here = world.plan.infrastructure
        observing = asyncio.create_task(observe(here.kafka_bootstrap, history, load.observe))
        injecting = asyncio.create_task(_inject_faults(world, config, schedule))
        try:
            await load.begin(config.rate, config.seconds + 2 * LOAD_ONLY_S)
            await injecting
            await _settle(world, load)
            await read_answers(world, sorted(client.accepted))
        finally:
            injecting.cancel()
            await load.stop()
            observing.cancel()
            ended = await asyncio.gather(observing, injecting, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error


async def _inject_faults(world: World, config: RunConfig, schedule: Sequence[Occurrence]) -> None:
    history = world.history
    numbers = {name: history.number() for name in WEBHOOK_KINDS.values()}
    await world.provider.faults(**WEBHOOKS)
    for name, number in numbers.items():
        history.record(FaultBegan(number=number, kind=name, target="webhooks"))
    await asyncio.sleep(LOAD_ONLY_S)
    history.record(Mark(name="faults"))
    await inject(world, schedule, config.faults)
    await world.links.reset()
    affected = await webhooks_affected(world)
    await world.provider.faults()
    for fault, name in WEBHOOK_KINDS.items():
        what = f"{affected[fault]} webhooks" if affected[fault] else ""
        history.record(FaultEnded(number=numbers[name], kind=name, target="webhooks", effect=what))


async def _settle(world: World, load: Load) -> None:
    """After the faults: waits at most a minute until the service is at rest, then checks."""
    history = world.history
    history.record(Mark(name="quiet"))
    deadline = asyncio.get_running_loop().time() + QUIET_WITHIN_S
    await world.until_ready()
    if not await load.until_ended(deadline - asyncio.get_running_loop().time()):
        for what in load.late():
            history.record(Violation(code="L1", what=f"not ended: {what}"))
    for what in load.problems:
        history.record(Violation(code="client", what=what))
    found, waiting = await at_rest(world, deadline)
    for what in waiting:
        history.record(Violation(code="L1", what=what))
    history.record(Mark(name="rest"))
    await asyncio.sleep(1.0)  # the observer's last records
    await judge(world, found)
