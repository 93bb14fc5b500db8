"""Clocks that differ by minutes change no end state."""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import httpx
import pytest

from sandbox.stories import STORIES
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.outages.conftest import RecordProperty, Site
from tests.outages.load import webhook
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import Program, Stack

pytestmark = pytest.mark.anyio

SIZE: Final = 16
SEED: Final = 7
#: The accepted age of Stripe's signatures, in seconds.
TOLERANCE_S: Final = 300
#: The error of each program's clock in seconds; any two differ by minutes.
SKEWS: Final[Mapping[str, Mapping[str, int]]] = {
    "work_ahead": {"ingress": 120, "stream": -120, "worker": 240},
    "work_behind": {"ingress": -120, "stream": 120, "worker": -240},
}


@contextmanager
def skewed(stack: Stack, offsets: Mapping[str, int]) -> Iterator[None]:
    """Runs the programs with wrong clocks during the block."""
    before = {name: stack.programs[name] for name in offsets}
    for program in before.values():
        program.stop()
    for name, offset_s in offsets.items():
        argv = (sys.executable, "-m", "tests.outages.skewed", str(offset_s), name)
        program = before[name]
        stack.programs[name] = Program(
            replace(program.command, argv=argv), program.logs, program.ready
        )
    try:
        restart(stack, offsets)
        yield
    finally:
        for name in offsets:
            stack.programs[name].stop()
        stack.programs.update(before)
        restart(stack, offsets)


def restart(stack: Stack, names: Mapping[str, int]) -> None:
    """Starts these programs, and waits until they are ready."""
    for name in names:
        stack.programs[name].start()
    for name in names:
        stack.programs[name].wait_until_ready()


async def webhook_status(stack: Stack, signed_at: float) -> int:
    """The status of a webhook that was signed at this time."""
    body = webhook(f"evt_signed_{signed_at}", "pay_" + "a" * 30)
    header = signature_header(body, stack.webhook_secret, int(signed_at))
    async with httpx.AsyncClient(base_url=stack.url, timeout=20.0) as http:
        response = await http.post(
            "/webhooks/stripe", content=body, headers={"stripe-signature": header}
        )
    return response.status_code


@pytest.mark.parametrize("skew", SKEWS)
async def test_clocks_that_differ_change_no_end_state(
    site: Site, record_property: RecordProperty, skew: str
) -> None:
    """Every payment ends correctly. Webhooks within the ingress's tolerance are accepted."""
    stack, offsets = site.stack, SKEWS[skew]
    with skewed(stack, offsets):
        here = time.time() + offsets["ingress"]
        assert await webhook_status(stack, here - TOLERANCE_S + 30) == 200
        assert await webhook_status(stack, here - TOLERANCE_S - 30) == 400
        load, began = Load(stack, SIZE, SEED + len(skew)), time.monotonic()
        await asyncio.wait_for(load.run(), 200)
        record_property(f"{SIZE} payments ended after, s", time.monotonic() - began)
        found = await evidence.at_rest(stack)
    assert load.ended == load.stories.keys()
    assert len(set(load.stories.values())) > len(STORIES) // 2
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
