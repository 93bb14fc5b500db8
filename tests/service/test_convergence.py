"""Payments end correctly despite duplicated, reordered and early webhooks, and kill -9."""

import asyncio
import os
from collections import Counter

import pytest

from sandbox.client import SimulatorControl
from sandbox.stories import STORIES
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

SEED = 20_260_101
SIZE = int(os.environ.get("PAYMENTS_TEST_PAYMENTS", "150"))
KILLS = int(os.environ.get("PAYMENTS_TEST_KILLS", "3"))

#: Each webhook is sent one to three times, in any order, often before the response to its call.
WEBHOOK_FAULTS = {
    "duplicate": 0.66,
    "duplicate_max": 2,
    "duplicate_spread_s": (0.0, 2.0),
    "reorder": 0.5,
    "reorder_hold_s": (0.1, 1.5),
    "early": 0.3,
    "early_hold_s": (0.01, 0.1),
    "wrong_signature": 0.05,
    "altered_body": 0.05,
}


async def _set_faults(stack: Stack) -> None:
    async with SimulatorControl(stack.simulator_url) as simulator:
        await simulator.faults(**WEBHOOK_FAULTS)


async def _check_all(stack: Stack, load: Load) -> None:
    found = await evidence.at_rest(stack)
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
    assert load.ended == load.stories.keys()
    assert set(load.stories.values()) == STORIES.keys(), "the seed left a story out"
    counts = Counter(row.outcome for row in found.inbox)
    assert counts["applied"], counts
    assert counts["stale"], counts
    assert found.duplicates, "there was no duplicate"


async def test_every_payment_ends_as_the_oracle_says(stack: Stack) -> None:
    """Repeated webhooks in random order lead to the oracle's end state and have one effect each."""
    await _set_faults(stack)
    load = Load(stack, SIZE, SEED)
    await load.run()
    await _check_all(stack, load)
    assert stack.metric("stream", "payments_dedup_evicted_total") > 0, "nothing was evicted"


async def test_kill_minus_nine_changes_nothing(stack: Stack) -> None:
    """The end states are the same if the stream worker is killed repeatedly and restarted."""
    await _set_faults(stack)
    load = Load(stack, SIZE, SEED + 1)
    living = asyncio.create_task(load.run())
    stream = stack.programs["stream"]
    for number in range(1, KILLS + 1):
        progressed = asyncio.create_task(load.until_ended(number * SIZE // (KILLS + 2)))
        await asyncio.wait([progressed, living], return_when=asyncio.FIRST_COMPLETED)
        progressed.cancel()
        await asyncio.to_thread(stream.kill)
        stream.start()
        await asyncio.to_thread(stream.wait_until_ready)
    await living
    await _check_all(stack, load)
