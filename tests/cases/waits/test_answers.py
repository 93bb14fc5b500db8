"""What a client gets that prefers to wait, and what it reads right after its request."""

import statistics
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from schemas.answers import AcceptedOperation, DecidedPayment
from tests.cases.world import World

pytestmark = pytest.mark.anyio

CARD: Final = {"amount": 1999, "currency": "EUR", "payment_method": "pm_card_visa"}


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client that shows statuses and headers; the simulator has no faults."""
    headers = {"Authorization": f"Bearer {world.stack.api_key}"}
    async with httpx.AsyncClient(base_url=world.stack.url, headers=headers, timeout=40) as opened:
        yield opened


async def post(client: httpx.AsyncClient, path: str, body: Any, wait_s: int = 20) -> httpx.Response:
    """Sends a command that prefers to wait."""
    headers = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": f"wait={wait_s}"}
    return await client.post(path, json=body, headers=headers)


async def test_a_create_is_answered_with_its_paid_payment(client: httpx.AsyncClient) -> None:
    """And GET says the same, of the payment and of the operation."""
    response = await post(client, "/v1/payments", CARD)
    assert response.status_code == 200, response.text
    body = response.json()
    decided = DecidedPayment.model_validate(body)
    assert (decided.status, decided.operation.type) == ("SUCCEEDED", "create")
    assert decided.payment is not None
    shown = (await client.get(f"/v1/payments/{decided.id}")).json()
    assert shown["version"] >= decided.payment.version
    operation = (await client.get(f"/v1/operations/{decided.operation.id}")).json()
    assert operation["status"] in {"applied", "done"}


async def test_a_declined_card_is_an_answer_too(client: httpx.AsyncClient) -> None:
    """With the provider's code."""
    declined = CARD | {"payment_method": "pm_card_chargeDeclined"}
    response = await post(client, "/v1/payments", declined)
    assert (response.status_code, response.json()["status"]) == (200, "FAILED")
    assert response.json()["payment"]["failure"]["code"] == "generic_decline"


async def test_a_capture_that_the_state_forbids_is_answered_with_its_rejection(
    client: httpx.AsyncClient,
) -> None:
    """200, with a code and a sentence; so says GET of its Location."""
    payment = (await post(client, "/v1/payments", CARD)).json()
    response = await post(client, f"/v1/payments/{payment['id']}/capture", {"amount": 5})
    assert response.status_code == 200
    operation = AcceptedOperation.model_validate(response.json()).operation
    assert (operation.status, operation.code) == ("rejected", "wrong_status")
    shown = await client.get(response.headers["location"])
    assert shown.json() == response.json()["operation"]


async def test_what_was_just_accepted_can_be_read(client: httpx.AsyncClient) -> None:
    """Right after the 202, whether the stream has decided it or not."""
    for _ in range(20):
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        accepted = await client.post("/v1/payments", json=CARD, headers=headers)
        assert accepted.status_code == 202
        for path in (accepted.headers["location"], f"{accepted.headers['location']}/timeline"):
            response = await client.get(path)
            assert response.status_code == 200, response.text


@pytest.mark.alone
async def test_a_decision_is_there_within_a_fraction_of_a_second(client: httpx.AsyncClient) -> None:
    """From the request of a capture to its rejection, which no provider is asked for."""
    payment = (await post(client, "/v1/payments", CARD)).json()
    took = []
    for _ in range(20):
        begun = time.monotonic()
        response = await post(client, f"/v1/payments/{payment['id']}/capture", {"amount": 5})
        took.append(time.monotonic() - begun)
        assert response.status_code == 200
    assert statistics.median(took) < 0.5, took
