"""One Idempotency-Key identifies one payment, and its client's own names for it find it."""

import asyncio

import httpx
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


async def test_a_client_finds_its_payment_and_acts_on_the_version_that_it_has_seen(
    stack: Stack,
) -> None:
    """By its own reference and metadata. A refund of an older version is rejected, and says why."""
    body = {**BODY, "order_reference": "№ 17/a", "metadata": {"order number": "17/a"}}
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(body, "found again")
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers) as http:
        for sought in ({"order_reference": "№ 17/a"}, {"metadata[order number]": "17/a"}):
            found = await http.get("/v1/payments", params={**sought, "count": "true"})
            (payment,) = found.json()["data"]
            assert (payment["id"], payment["order_reference"]) == (payment_id, "№ 17/a")
            assert found.json()["total"] == 1
        tag = (await http.get(f"/v1/payments/{payment_id}")).headers["etag"]
        refunds = []
        for key, expected in (("late", '"1"'), ("now", tag)):
            named = {"Idempotency-Key": f'"{key}"', "If-Match": expected, "Prefer": "wait=10"}
            url = f"/v1/payments/{payment_id}/refunds"
            answer = await http.post(url, json={"amount": 5}, headers=named)
            refunds.append(answer.json()["operation"])
    assert (refunds[0]["status"], refunds[0]["code"]) == ("rejected", "version_mismatch")
    assert refunds[1]["status"] != "rejected"
