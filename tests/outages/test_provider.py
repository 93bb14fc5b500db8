"""The provider is down, slow, overloaded or loses responses: only its own calls wait."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
import psycopg
import pytest

from sandbox.client import PaymentsClient, SimulatorControl
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.faults.process_supervisor import until
from tests.outages.conftest import RecordProperty, Site
from tests.outages.load import BODY, webhook
from tests.service import evidence
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

#: More than the failures in a row that open the breaker.
CALLS: Final = 12
BREAKER: Final = "payments_circuit_breaker_open"
#: The limit of the latency of a webhook about another payment. A busy machine needs a second. A
#: partition that waited for the provider would need as long as the outage lasts.
GOES_ON_S: Final = 10.0
#: Faults of the simulator, and the resulting errors in the calls' rows.
TROUBLE: Final[Mapping[str, dict[str, Any]]] = {
    "away": {"reset_before": 1.0},
    "slow": {"slow": 1.0, "slow_s": (1.5, 2.0)},
    "silent": {"reset_after": 1.0},
}


def rows(stack: Stack, payment_ids: list[str]) -> list[tuple[int, float, str | None, str]]:
    """Attempts, next attempt (seconds since the epoch), error and state of each create."""
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        return connection.execute(
            "select attempts, extract(epoch from next_attempt_at)::float8, last_error, state"
            " from provider_calls where operation = 'create' and payment_id = any(%s)",
            [payment_ids],
        ).fetchall()


def recorded(stack: Stack, event_id: str) -> bool:
    """Whether an event has its outcome."""
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        return (
            connection.execute("select 1 from inbox where event_id = %s", [event_id]).fetchone()
            is not None
        )


async def latency(stack: Stack, payment_id: str) -> float:
    """Seconds from a webhook's arrival to its outcome."""
    event_id = f"evt_{secrets.token_hex(8)}"
    body = webhook(event_id, payment_id)
    header = signature_header(body, stack.webhook_secret, int(time.time()))
    async with httpx.AsyncClient(base_url=stack.url, timeout=20.0) as http:
        began = time.monotonic()
        response = await http.post(
            "/webhooks/stripe", content=body, headers={"stripe-signature": header}
        )
        assert response.status_code == 200
        await until(lambda: recorded(stack, event_id), "the webhook has its outcome")
    return time.monotonic() - began


def asked_too_much(stack: Stack) -> float:
    """How often the provider refused a request because there were too many."""
    return stack.metric("worker", "payments_rate_limit_refusals_total")


@pytest.mark.parametrize("trouble", [*TROUBLE, "full"])
async def test_a_provider_in_trouble_delays_only_its_own_calls(
    site: Site, record_property: RecordProperty, trouble: str
) -> None:
    """Its calls are retried and make one object each. The breaker opens and closes.

    A provider that has had too many requests is there: its breaker stays closed, and its account is
    blocked for a while.
    """
    stack = site.stack
    async with (
        PaymentsClient(stack.url, stack.api_key) as client,
        SimulatorControl(stack.simulator_url) as simulator,
    ):
        other = await client.create(BODY)
        await client.wait_for(other, lambda p: bool(p["status"] == "SUCCEEDED"))
        refused = asked_too_much(stack)
        await simulator.faults(**TROUBLE.get(trouble, {"rate_limit_429": 1.0}))
        ids = await asyncio.gather(*(client.create(BODY) for _ in range(CALLS)))
        if trouble in TROUBLE:
            await until(lambda: stack.metric("worker", BREAKER) == 1, "the breaker opens")
        else:
            await until(lambda: asked_too_much(stack) > refused + CALLS, "requests are refused")
            assert stack.metric("worker", BREAKER) == 0
        await until(lambda: sum(row[0] for row in rows(stack, ids)) > CALLS, "calls are repeated")
        took = max([await latency(stack, other) for _ in range(5)])
        await simulator.faults()
        await asyncio.gather(
            *(client.wait_for(p, lambda p: bool(p["status"] == "SUCCEEDED")) for p in ids)
        )
    await until(lambda: stack.metric("worker", BREAKER) == 0, "the breaker closes")
    record_property("a webhook about another payment, longest of 5, s", took)
    assert took < GOES_ON_S
    found = await evidence.at_rest(stack)
    assert {row[3] for row in rows(stack, ids)} == {"done"}
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
