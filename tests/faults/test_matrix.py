"""An error and a kill -9 at every failpoint: the process restarts and the end state is right."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults.failpoints import Action, Failpoint, Trap
from tests.faults.process_supervisor import kept, until
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

KILLED: Final = -signal.SIGKILL
RESTART: Final = os.EX_TEMPFAIL
#: The exit code after an error there. None: the process recovers without a restart.
STREAM: Final[dict[Failpoint, int | None]] = {
    Failpoint.AFTER_DECODE: None,
    Failpoint.AFTER_LOAD: None,
    Failpoint.BEFORE_COMMIT: None,
    Failpoint.AFTER_COMMIT: None,
    Failpoint.BEFORE_PUBLISH: None,
    Failpoint.IN_PUBLISH: RESTART,
    Failpoint.BETWEEN_PUBLISHES: RESTART,
    Failpoint.AFTER_PUBLISH: None,
    Failpoint.BEFORE_DEDUP_ADD: None,
    Failpoint.BEFORE_ACK: None,
    Failpoint.AFTER_ACK: RESTART,
}
WORK: Final[dict[Failpoint, int | None]] = {
    Failpoint.AFTER_CLAIM: None,
    Failpoint.BEFORE_CALL: None,
    Failpoint.AFTER_CALL: None,
    Failpoint.BEFORE_RESULT: None,
    Failpoint.BEFORE_DONE: None,
}
SIZE: Final = 8
#: An error meets the payments when they are created; kill -9, when some are further on.
TIME: Final = {Action.RAISE: 1, Action.KILL: 2}


def _cells() -> Iterator[tuple[int, str, Failpoint, Action, list[int]]]:
    """Seed, program, failpoint, action, and the exit codes it must come to."""
    rows = [("stream", *row) for row in STREAM.items()] + [("worker", *row) for row in WORK.items()]
    for number, (program, place, restart) in enumerate(rows):
        raised = [] if restart is None else [restart]
        yield 2 * number, program, place, Action.RAISE, raised
        yield 2 * number + 1, program, place, Action.KILL, [KILLED]


@pytest.mark.parametrize(
    ("seed", "program", "place", "action", "codes"),
    [pytest.param(*cell, id=f"{cell[2]}-{cell[3]}") for cell in _cells()],
)
async def test_a_fault_anywhere_changes_nothing(
    stack: Stack, traps: Path, seed: int, program: str, place: Failpoint, action: Action,
    codes: list[int],
) -> None:  # fmt: skip
    """Payments in flight, a fault, a restart: each ends right, and every invariant holds."""
    trap = Trap(traps, program)
    trap.set(place, action, TIME[action])
    load = Load(stack, SIZE, seed)
    async with kept(stack.programs[program]) as ended:
        await load.run()
        await until(lambda: trap.is_met and set(codes) <= set(ended), f"{place}: {codes}")
        await asyncio.to_thread(stack.programs[program].wait_until_ready)
        found = await evidence.at_rest(stack)
    assert set(ended) <= {RESTART, *codes}  # a slow machine may cost a worker its partitions too
    assert load.ended == load.stories.keys()
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
