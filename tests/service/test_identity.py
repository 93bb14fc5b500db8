"""One Idempotency-Key is one payment, however the client uses it."""

import asyncio

import pytest

from sandbox.client import PaymentsClient, SimulatorControl
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

BODY = {"amount": 4200, "currency": "EUR", "payment_method": "pm_card_visa"}


async def test_twenty_concurrent_posts_make_one_payment_and_one_charge(stack: Stack) -> None:
    """20 POSTs at once with one key: the same payment each time, one object at the provider."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        answers = await asyncio.gather(
            *(client.try_post("/v1/payments", BODY, "twenty-at-once") for _ in range(20))
        )
        assert {answer.status_code for answer in answers} == {202}
        ids = {answer.json()["id"] for answer in answers}
        assert len(ids) == 1
        payment_id = ids.pop()
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        timeline = await client.get(f"/v1/payments/{payment_id}/timeline")
    outcomes = [e["outcome"] for e in timeline["entries"] if e["kind"] == "command.create"]
    assert outcomes.count("applied") == 1
    async with SimulatorControl(stack.simulator_url) as simulator:
        objects = await simulator.get("/objects")
    ours = [i for i in objects["payment_intents"] if i["metadata"].get("payment_id") == payment_id]
    assert len(ours) == 1
    charged = [c for c in objects["charges"] if c["payment_intent"] == ours[0]["id"]]
    assert [c["amount"] for c in charged] == [4200]


async def test_another_body_under_the_same_key_is_refused(stack: Stack) -> None:
    """Another amount under a used key is a 422, and the payment does not change."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(BODY, "another-body")
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        refused = await client.try_post("/v1/payments", {**BODY, "amount": 1}, "another-body")
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        payment = await client.get(f"/v1/payments/{payment_id}")
    assert payment["amount"] == 4200
