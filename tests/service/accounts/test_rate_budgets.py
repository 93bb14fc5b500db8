"""Two worker processes together keep each account's limit, and no account slows another's."""

import asyncio
from typing import Final

import pytest

from sandbox.client import PaymentsClient
from tests.service import evidence
from tests.service.accounts.market import BODY, OWNERS, Market

pytestmark = pytest.mark.anyio

EACH: Final = 40
WORKERS: Final = ("worker", "worker2")
CALLS: Final = "payments_provider_call_duration_seconds_count"
#: Requests that each account may refuse: one that was on its way for longer than usual.
REFUSED_MOST: Final = 1


async def test_two_workers_keep_one_budget_per_account(market: Market) -> None:
    """More calls are due in every account than it takes in some seconds, all at once."""
    before = {o.name: (await market.inspect("stats", o))["counts"] for o in OWNERS}
    calls = [market.stack.metric(worker, CALLS) for worker in WORKERS]
    async with PaymentsClient(market.stack.url, market.stack.api_key) as client:
        created = await asyncio.gather(
            *(client.create({**BODY, "provider": o.name}) for _ in range(EACH) for o in OWNERS)
        )
        for each in created:
            await client.wait_for(each, lambda p: bool(p["status"] == "SUCCEEDED"))
    for worker, known in zip(WORKERS, calls, strict=True):
        assert market.stack.metric(worker, CALLS) > known + EACH / 2, f"{worker} makes no calls"
    for owner in OWNERS:
        stats = await market.inspect("stats", owner)
        refused = sum(
            count - before[owner.name].get(name, 0)
            for name, count in stats["counts"].items()
            if name.startswith("rate_limited.")
        )
        assert refused <= REFUSED_MOST, (owner.name, stats)
        most = stats["most_requests_in_a_second"]
        assert owner.per_s / 2 < most <= owner.per_s, (owner.name, stats)
    evidence.check(await evidence.at_rest(market.stack))
