"""Webhooks that anybody can send who has an endpoint's secret."""

import json
import time
from typing import Any

import httpx

from sandbox.stripe_simulator.webhooks.signing import signature_header


def event(number: int, payment_id: str, object_id: str, **changes: Any) -> bytes:
    """An event that would change the payment, if it were of the payment's account."""
    status = ("canceled", "requires_capture", "requires_payment_method")[number % 3]
    intent = {
        "id": object_id,
        "object": "payment_intent",
        "status": status,
        "amount": 1000,
        "amount_capturable": 1000 if status == "requires_capture" else 0,
        "amount_received": 0,
        "currency": "eur",
        "metadata": {"payment_id": payment_id},
    }
    whole = {
        "id": f"evt_wrong_{number}",
        "object": "event",
        "type": f"payment_intent.{status}",
        "created": int(time.time()) + 60,
        "livemode": False,
        "data": {"object": intent},
        "request": {"id": "req_1", "idempotency_key": f"{payment_id}:create"},
    }
    return json.dumps({**whole, **changes}).encode()


async def deliver(http: httpx.AsyncClient, path: str, body: bytes, secret: str) -> httpx.Response:
    """Sends a signed webhook."""
    header = signature_header(body, secret, int(time.time()))
    return await http.post(path, content=body, headers={"stripe-signature": header})
