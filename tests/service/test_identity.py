"""One Idempotency-Key identifies one payment."""

import asyncio

import pytest

from sandbox.client import PaymentsClient, SimulatorControl
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

BODY = {"amount": 4200, "currency": "EUR", "payment_method": "pm_card_visa"}


async def test_twenty_concurrent_posts_make_one_payment_and_one_charge(stack: Stack) -> None:
    """20 concurrent POSTs with one key return one payment and make one object at the provider."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        responses = await asyncio.gather(
            *(client.try_post("/v1/payments", BODY, "twenty-at-once") for _ in range(20))
        )
        assert {response.status_code for response in responses} == {202}
        ids = {response.json()["id"] for response in responses}
        assert len(ids) == 1
        payment_id = ids.pop()
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        timeline = await client.timeline(payment_id)
    outcomes = [e["outcome"] for e in timeline["entries"] if e["kind"] == "command.create"]
    assert outcomes.count("applied") == 1
    async with SimulatorControl(stack.simulator_url) as simulator:
        objects = await simulator.get("/objects")
    found = [i for i in objects["payment_intents"] if i["metadata"].get("payment_id") == payment_id]
    assert len(found) == 1
    charged = [c for c in objects["charges"] if c["payment_intent"] == found[0]["id"]]
    assert [c["amount"] for c in charged] == [4200]


async def test_another_body_under_the_same_key_is_refused(stack: Stack) -> None:
    """Another amount under a used key is refused with 422. The payment does not change."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(BODY, "another-body")
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        refused = await client.try_post("/v1/payments", {**BODY, "amount": 4300}, "another-body")
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        payment = await client.get(f"/v1/payments/{payment_id}")
    assert payment["amount"] == 4200
