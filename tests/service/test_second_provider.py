"""Payments through a second provider behave like payments through the first."""

import asyncio
from typing import Any

import httpx
import pytest

from sandbox.client import PaymentsClient, SimulatorControl
from tests.service import evidence
from tests.service.stack import Stack
from tests.service.timeline import entry_of

pytestmark = pytest.mark.anyio

WITHIN_S = 30.0
BODY = {"provider": "examplepay", "amount": 1234, "currency": "EUR", "payment_method": "tok_good"}


async def control(stack: Stack, action: str, **body: Any) -> None:
    """Calls the second simulator's control API."""
    async with SimulatorControl(stack.second_simulator_url) as simulator:
        await simulator.post(f"/{action}", body)


async def test_a_payment_through_it_succeeds_and_is_refunded(stack: Stack) -> None:
    """It is declined, confirmed, captured and refunded, with repeated and reordered webhooks."""
    await control(stack, "faults", duplicate=True, reorder=True)
    body = {**BODY, "payment_method": "tok_declined", "max_attempts": 2}
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(body)
        path = f"/v1/payments/{payment_id}"
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "REQUIRES_ACTION"))
        await client.post(f"{path}/confirm", {"payment_method": "tok_good"})
        paid = await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        assert paid["provider"] == "examplepay"
        assert paid["amounts"] == {"authorized": 1234, "captured": 1234, "refunded": 0}
        await client.post(f"{path}/refunds", {"amount": 400, "reason": "duplicate"})
        # the webhook of the refund may come before the answer that says that it is ours
        done = await client.wait_for(
            payment_id, lambda p: [r["status"] for r in p["refunds"]] == ["SUCCEEDED"]
        )
        assert done["amounts"]["refunded"] == 400
        assert done["refunds"][0]["reason"] == "duplicate"
    await control(stack, "faults")
    found = await evidence.at_rest(stack)
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)


async def test_disputes_and_refunds_find_their_payment(stack: Stack) -> None:
    """A dispute names the payment. The router finds the payment of a refund."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(BODY)
        paid = await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        object_id = paid["provider_object_id"]
        await control(stack, "charge_back", payment_id=object_id)
        await client.wait_for(
            payment_id,
            lambda p: [f["withdrawn"] for d in p["disputes"] for f in d["funds"]] == [1234],
        )
        amount = {"value": "1.00", "currency": "EUR"}
        await control(stack, "refund", payment=object_id, amount=amount)
        await client.wait_for(payment_id, lambda p: bool(p["amounts"]["refunded"] == 100))


async def test_an_unknown_status_changes_nothing_and_is_counted(stack: Stack) -> None:
    """An event with an unknown status is recorded as ignored, and counted."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(BODY)
        paid = await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        before = stack.metric("stream", "payments_unknown_status_total")
        for state in ("in_limbo", "in_between"):  # one whose commit is repeated is not counted
            await control(
                stack, "emit", kind="payment", object_id=paid["provider_object_id"], state=state
            )
            entry = await entry_of(client, payment_id, f"examplepay.payment/{state}")
            assert entry["outcome"] == "ignored"
            assert f"'{state}'" in entry["reason"]
        assert await client.get(f"/v1/payments/{payment_id}") == paid
    async with asyncio.timeout(WITHIN_S):
        while stack.metric("stream", "payments_unknown_status_total") <= before:  # noqa: ASYNC110  # it is in another process
            await asyncio.sleep(0.05)  # it is counted after it is committed


async def test_its_webhooks_need_its_signature(stack: Stack) -> None:
    """An unsigned webhook is refused, and so is a webhook for an unknown provider."""
    async with httpx.AsyncClient(base_url=stack.url) as client:
        assert (await client.post("/webhooks/examplepay", content=b"{}")).status_code == 400
        assert (await client.post("/webhooks/nobody", content=b"{}")).status_code == 404
