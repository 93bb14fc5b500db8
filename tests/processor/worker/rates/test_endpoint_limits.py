"""Our client and a provider that limits each endpoint: it refuses none of our requests."""

import asyncio
import random
import time
from contextlib import suppress
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from ports.provider import RateLimitedError
from ports.rate_budget import RateLimit, RequestBudget, RequestClass
from postgres.rate_budgets import PostgresRateBudgets
from postgres.stores import Pool
from processor.worker.metrics import BudgetMetrics
from processor.worker.rate_budget import SharedBudget
from providers.stripe.client import StripeApi
from schemas.settings import StripeSettings
from tests.providers.stripe.builders import over_http
from tests.simulator.harness import API_KEY, Receiver, serving

pytestmark = [pytest.mark.anyio, over_http]

SECONDS: Final = 3.0
PER_S, ENDPOINT_PER_S = 100, 10


@pytest.mark.alone
async def test_an_endpoint_that_is_asked_at_its_full_rate_refuses_nothing(pool: Pool) -> None:
    """Objects and two lists of parts at once, each as fast as its budget allows."""
    limits = {"requests_per_s": PER_S, "endpoint_requests_per_s": ENDPOINT_PER_S}
    with serving(Receiver(), **limits) as simulator:
        paid = simulator.pay().id
        registry = CollectorRegistry()
        budget = SharedBudget(
            "stripe",
            RateLimit("stripe/acct_sandbox/test", PER_S, ENDPOINT_PER_S),
            PostgresRateBudgets(pool),
            BudgetMetrics(registry),
            random.Random(1),  # noqa: S311  # jitter is no secret
        )
        api = StripeApi(
            StripeSettings(stripe_api_key=SecretStr(API_KEY)),
            simulator.base_url,
            budget=RequestBudget(budget, RequestClass.LOOK_UP),
            is_live=False,
        )
        made = dict.fromkeys(("object", "refunds", "disputes"), 0)
        until = time.monotonic() + SECONDS

        async def ask(what: str) -> None:
            while time.monotonic() < until:
                with suppress(RateLimitedError):
                    if what == "object":
                        await api.retrieve(paid)
                    else:
                        await api.read(f"/v1/{what}", limit=1)
                    made[what] += 1

        await asyncio.gather(*(ask(what) for what in made for _ in range(4)))
        await api.close()
    refusals = [
        each.value
        for metric in registry.collect()
        for each in metric.samples
        if each.name == "payments_rate_limit_refusals_total"
    ]
    assert refusals == []
    assert all(
        SECONDS * ENDPOINT_PER_S * 0.4 < each <= (SECONDS + 1) * ENDPOINT_PER_S
        for each in made.values()
    ), made
