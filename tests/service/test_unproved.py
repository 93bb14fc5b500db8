"""A create with a lost response is looked up as soon as a webhook arrives."""

import asyncio
import json
import time
from statistics import median
from typing import Any

import httpx
import pytest

from sandbox.client import PaymentsClient, SimulatorControl
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

ROUNDS, AT_ONCE = 8, 3
BODY = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
#: The provider executes the call, but sends neither a response nor an event.
SILENT = {"timeout_after": 1.0, "timeout_hold_s": 30.0, "generation_failure": 1.0}


async def _objects(simulator: SimulatorControl, payment_ids: set[str]) -> dict[str, Any]:
    """The provider's objects of these payments, once there is one of each."""
    async with asyncio.timeout(30):
        while True:
            found = {
                intent["metadata"].get("payment_id"): intent
                for intent in (await simulator.get("/objects"))["payment_intents"]
            }
            if payment_ids <= found.keys():
                return {payment_id: found[payment_id] for payment_id in payment_ids}
            await asyncio.sleep(0.02)  # polling interval


async def _send_webhook(stack: Stack, http: httpx.AsyncClient, intent: Any) -> None:
    """Delivers a webhook about the object that does not echo our key."""
    event = {
        "id": f"evt_unproved_{intent['id']}",
        "object": "event",
        "type": f"payment_intent.{intent['status']}",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": intent},
        "request": None,
    }
    body = json.dumps(event).encode()
    header = signature_header(body, stack.webhook_secret, int(time.time()))
    response = await http.post(
        "/webhooks/stripe", content=body, headers={"stripe-signature": header}
    )
    assert response.status_code == httpx.codes.OK


async def _until_correct_s(
    stack: Stack, client: PaymentsClient, payment_id: str, intent: Any
) -> float:
    """Seconds from the webhook until the payment has the provider's state."""
    async with httpx.AsyncClient(base_url=stack.url) as http:
        began = time.monotonic()
        await _send_webhook(stack, http, intent)
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        return time.monotonic() - began


async def _usual_s(client: PaymentsClient) -> float:
    """Seconds from the request to the end of a payment without losses."""
    began = time.monotonic()
    await client.wait_for(await client.create(BODY), lambda p: bool(p["status"] == "SUCCEEDED"))
    return time.monotonic() - began


async def test_a_lost_response_is_looked_up_at_once(stack: Stack, record_property: Any) -> None:
    """The payment is correct before the call itself gets its response."""
    took: list[float] = []
    usual: list[float] = []
    async with (
        SimulatorControl(stack.simulator_url) as simulator,
        PaymentsClient(stack.url, stack.api_key) as client,
    ):
        for _ in range(ROUNDS):
            await simulator.faults()
            usual.append(await _usual_s(client))
            await simulator.faults(**SILENT)
            ids = [await client.create(BODY) for _ in range(AT_ONCE)]
            objects = await _objects(simulator, set(ids))
            await simulator.faults(generation_failure=1.0)
            took += await asyncio.gather(
                *(_until_correct_s(stack, client, each, objects[each]) for each in ids)
            )
        await simulator.faults()
    took.sort()
    usual.sort()
    figures = (
        f"median {median(took):.3f} s, longest of {len(took)} {took[-1]:.3f} s; "
        f"usual payment: median {median(usual):.3f} s, longest {usual[-1]:.3f} s"
    )
    record_property("right_after", figures)
    print(figures)  # noqa: T201  # a measurement, shown with -s
    assert median(took) < 1.0 + median(usual), figures
