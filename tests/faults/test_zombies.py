"""A worker sleeps inside a critical section until another has its work; what it can do awake."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest

from processor.ops.invariants import Evidence
from sandbox.supervision.ports import HOST, free_ports
from tests.faults.failpoints import VARIABLE, Action, Failpoint, Trap
from tests.faults.process_supervisor import kept, until
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import Program, Stack

pytestmark = pytest.mark.anyio


#: Where it falls asleep, and whether it has versions in its hands then that it wants to publish
#: when it wakes: it is fenced.
PLACES: Final = {
    Failpoint.AFTER_LOAD: False,
    Failpoint.BEFORE_COMMIT: False,
    Failpoint.AFTER_COMMIT: True,
    Failpoint.BEFORE_PUBLISH: True,
    Failpoint.IN_PUBLISH: True,
    Failpoint.BETWEEN_PUBLISHES: False,
    Failpoint.AFTER_PUBLISH: False,
    Failpoint.BEFORE_DEDUP_ADD: False,
    Failpoint.BEFORE_ACK: False,
}
SIZE: Final = 10


@pytest.fixture
def second(stack: Stack, tmp_path: Path) -> Iterator[Program]:
    """Another stream worker, not started yet; nobody sets traps for it."""
    first = stack.programs["stream"]
    (port,) = free_ports(1)
    variables = {
        **first.environment,
        "PAYMENTS_METRICS_PORT": str(port),
        "PAYMENTS_DATA_DIR": str(tmp_path / "data"),
        VARIABLE: str(tmp_path),
    }
    command = replace(first.command, name="second", environment=variables)
    program = Program(command, first.logs, f"http://{HOST}:{port}/readyz")
    yield program
    if program.is_running:
        program.kill()


@asynccontextmanager
async def asleep(program: Program) -> AsyncIterator[None]:
    """The program has stopped itself in here; it is continued afterwards."""
    process = psutil.Process(program.process.pid)
    await until(lambda: bool(process.status() == psutil.STATUS_STOPPED), "it sleeps")
    try:
        yield
        assert process.status() == psutil.STATUS_STOPPED, "it woke up by itself"
    finally:
        program.process.send_signal(signal.SIGCONT)


async def live(stack: Stack, seed: int) -> Load:
    """A load that has run: every payment has ended."""
    load = Load(stack, SIZE, seed)
    await load.run()
    assert load.ended == load.stories.keys()
    return load


def everything_of(found: Evidence, payment_ids: Iterable[str]) -> dict[str, object]:
    """All there is of these payments, in Postgres and in ``payment-state``."""
    return {
        p: (
            found.payments[p], found.versions[p], found.published[p], found.published_versions[p],
            {row.event_id: row for row in found.inbox if row.payment_id == p},
        )
        for p in payment_ids
    }  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
async def test_a_sleeper_changes_nothing_when_it_wakes(
    stack: Stack, traps: Path, second: Program, place: Failpoint
) -> None:
    """The other finishes everything meanwhile; awake, it writes and publishes nothing more of it.

    It restarts where it would publish. Alone again, it works.
    """
    seed = 1_000 + 10 * list(PLACES).index(place)
    first, trap = stack.programs["stream"], Trap(traps, "stream")
    trap.set(place, Action.STOP, 2)
    living = asyncio.create_task(live(stack, seed))
    await until(lambda: trap.is_met, f"{place} is met")
    async with kept(first) as ended:
        async with asleep(first):
            second.start()
            load = await living
            before = await evidence.at_rest(stack)
        if PLACES[place]:
            await until(lambda: bool(ended), "it restarts")
        second.kill()
        await live(stack, seed + 1)
        after = await evidence.at_rest(stack)
    assert set(ended) <= {os.EX_TEMPFAIL}
    evidence.check(before)
    evidence.check(after)
    assert everything_of(before, load.stories) == everything_of(after, load.stories)
    await evidence.agrees_with_oracle(stack, after)
    await evidence.agrees_with_provider(stack, after)
