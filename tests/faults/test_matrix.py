"""An error or kill -9 at any failpoint changes no end state."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults.failpoints import Action, Failpoint, Trap
from tests.faults.process_supervisor import supervised, until
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

KILLED: Final = -signal.SIGKILL
RESTART: Final = os.EX_TEMPFAIL
#: The exit code after an error at the failpoint. None: the process goes on without a restart.
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
WORKER: Final[dict[Failpoint, int | None]] = {
    Failpoint.AFTER_CLAIM: None,
    Failpoint.BEFORE_CALL: None,
    Failpoint.AFTER_CALL: None,
    Failpoint.BEFORE_RESULT: None,
    Failpoint.BEFORE_DONE: None,
}
SIZE: Final = 8
#: How often the failpoint is reached before the fault, inclusive. A kill comes when some payments
#: are further on.
TIME: Final = {Action.RAISE: 1, Action.KILL: 2}


def _cases() -> Iterator[tuple[int, str, Failpoint, Action, list[int]]]:
    """Seed, program, failpoint, action and the expected exit codes."""
    rows = [("stream", *row) for row in STREAM.items()] + [
        ("worker", *row) for row in WORKER.items()
    ]
    for number, (program, place, restart) in enumerate(rows):
        raised = [] if restart is None else [restart]
        yield 2 * number, program, place, Action.RAISE, raised
        yield 2 * number + 1, program, place, Action.KILL, [KILLED]


@pytest.mark.parametrize(
    ("seed", "program", "place", "action", "codes"),
    [pytest.param(*cell, id=f"{cell[2]}-{cell[3]}") for cell in _cases()],
)
async def test_a_fault_at_any_failpoint_changes_no_end_state(
    stack: Stack, traps: Path, seed: int, program: str, place: Failpoint, action: Action,
    codes: list[int],
) -> None:  # fmt: skip
    """Payments in flight end correctly after the fault and a restart. Every invariant holds."""
    trap = Trap(traps, program)
    trap.set(place, action, TIME[action])
    load = Load(stack, SIZE, seed)
    async with supervised(stack.programs[program]) as ended:
        await load.run()
        await until(lambda: trap.has_fired and set(codes) <= set(ended), f"{place}: {codes}")
        await asyncio.to_thread(stack.programs[program].wait_until_ready)
        found = await evidence.at_rest(stack)
    assert set(ended) <= {RESTART, *codes}  # on a slow machine a worker may lose its partitions too
    assert load.ended == load.stories.keys()
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
