"""A worker is stopped in a critical section, and continued after another took over its work."""

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
from tests.faults.process_supervisor import supervised, until
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import Program, Stack

pytestmark = pytest.mark.anyio


#: Where the worker stops, and whether it then publishes after it is continued. If so, it is fenced
#: and restarts.
FENCED_AT: Final = {
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
def successor(stack: Stack, tmp_path: Path) -> Iterator[Program]:
    """Another stream worker, not started, without faults."""
    first = stack.programs["stream"]
    (port,) = free_ports(1)
    variables = {
        **first.environment,
        "PAYMENTS_METRICS_PORT": str(port),
        "PAYMENTS_DATA_DIR": str(tmp_path / "data"),
        VARIABLE: str(tmp_path),
    }
    command = replace(first.command, name="successor", environment=variables)
    program = Program(command, first.logs, f"http://{HOST}:{port}/readyz")
    yield program
    if program.is_running:
        program.kill()


@asynccontextmanager
async def stopped(program: Program) -> AsyncIterator[None]:
    """Waits until the program has stopped itself, and continues it after the block."""
    process = psutil.Process(program.process.pid)
    await until(lambda: bool(process.status() == psutil.STATUS_STOPPED), "it stops")
    try:
        yield
        assert process.status() == psutil.STATUS_STOPPED, "it was continued too early"
    finally:
        program.process.send_signal(signal.SIGCONT)


async def run_load(stack: Stack, seed: int) -> Load:
    """Runs a load until every payment has ended."""
    load = Load(stack, SIZE, seed)
    await load.run()
    assert load.ended == load.stories.keys()
    return load


def stored_and_published(found: Evidence, payment_ids: Iterable[str]) -> dict[str, object]:
    """Everything about these payments in Postgres and in ``payment-state``.

    But for records that left their event IDs to another form of the event: each copy is ignored by
    itself, and the provider's list brings another one later.
    """
    inbox = [row for row in found.inbox if "@" not in row.event_id]
    return {
        p: (
            found.payments[p], found.versions[p], found.published[p], found.published_versions[p],
            {row.event_id: row for row in inbox if row.payment_id == p},
        )
        for p in payment_ids
    }  # fmt: skip


@pytest.mark.parametrize("place", FENCED_AT)
async def test_a_continued_worker_changes_nothing(
    stack: Stack, traps: Path, successor: Program, place: Failpoint
) -> None:
    """Another worker has finished its batch, and it writes and publishes nothing more of it.

    If it tries to publish, it is fenced and restarts. As the only worker it then works again.
    """
    seed = 1_000 + 10 * list(FENCED_AT).index(place)
    first, trap = stack.programs["stream"], Trap(traps, "stream")
    trap.set(place, Action.STOP, 2)
    living = asyncio.create_task(run_load(stack, seed))
    await until(lambda: trap.has_fired, f"{place} is reached")
    async with supervised(first) as ended:
        async with stopped(first):
            successor.start()
            async with supervised(successor) as successor_ended:
                load = await living
                before = await evidence.at_rest(stack)
        if FENCED_AT[place]:
            await until(lambda: bool(ended), "it restarts")
        successor.kill()
        await run_load(stack, seed + 1)
        after = await evidence.at_rest(stack)
    assert {*ended, *successor_ended} <= {os.EX_TEMPFAIL}
    evidence.check(before)
    evidence.check(after)
    assert stored_and_published(before, load.stories) == stored_and_published(after, load.stories)
    await evidence.agrees_with_oracle(stack, after)
    await evidence.agrees_with_provider(stack, after)
