"""Unsigned, altered, stale and undecodable input has no effect, and blocks nothing else."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from messaging.log_reader import records
from sandbox.client import PaymentsClient
from schemas import headers
from schemas.topics import (
    DEAD_LETTERS,
    PROCESSOR_SOURCES,
    PROVIDER_WEBHOOKS,
    PROVIDER_WEBHOOKS_UNROUTED,
)
from tests.service import evidence
from tests.service.stack import Stack
from tests.service.timeline import entry_of

pytestmark = pytest.mark.anyio


def signature(body: bytes, secret: str, at: int) -> str:
    """A Stripe-Signature header, made by hand."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def canceled(payment_id: str) -> bytes:
    """An event that would cancel this payment if it were accepted."""
    intent = {
        "id": "pi_forged",
        "object": "payment_intent",
        "status": "canceled",
        "amount": 1000,
        "currency": "eur",
        "metadata": {"payment_id": payment_id},
    }
    event = {
        "id": "evt_forged",
        "object": "event",
        "type": "payment_intent.canceled",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": intent},
    }
    return json.dumps(event).encode()


@pytest.mark.parametrize("forgery", ["wrong", "missing", "stale", "altered"])
async def test_a_forged_webhook_changes_nothing(stack: Stack, forgery: str) -> None:
    """A wrong, missing, stale or altered signature is refused with 400. Nothing reaches the log."""
    body = canceled("pay_" + "a" * 30)
    now = int(time.time())
    header = {
        "wrong": signature(body, "whsec_" + "x" * 32, now),
        "missing": None,
        "stale": signature(body, stack.webhook_secret, now - 400),
        "altered": signature(body.replace(b"forged", b"forget"), stack.webhook_secret, now),
    }[forgery]
    async with httpx.AsyncClient(base_url=stack.url) as client:
        response = await client.post(
            "/webhooks/stripe",
            content=body,
            headers={} if header is None else {"stripe-signature": header},
        )
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    bodies = [
        record.value or b""
        for topic in (PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED)
        async for record in records(stack.infrastructure.kafka_bootstrap, topic)
    ]
    assert not [body for body in bodies if b"evt_forged" in body]


async def test_a_signed_webhook_reaches_the_log(stack: Stack) -> None:
    """The same event with a valid signature is in the log, so the tests above can fail."""
    body = canceled("pay_" + "a" * 30).replace(b"evt_forged", b"evt_signed")
    header = signature(body, stack.webhook_secret, int(time.time()))
    async with httpx.AsyncClient(base_url=stack.url) as client:
        response = await client.post(
            "/webhooks/stripe", content=body, headers={"stripe-signature": header}
        )
    assert response.status_code == 200
    webhooks = records(stack.infrastructure.kafka_bootstrap, PROVIDER_WEBHOOKS)
    assert body in [record.value async for record in webhooks]


async def test_garbage_on_every_topic_goes_to_the_dead_letters(stack: Stack) -> None:
    """Undecodable bytes on each topic become dead letters, and payments go on."""
    bootstrap = stack.infrastructure.kafka_bootstrap
    garbage = {topic: b"\x00garbage for \xff" + topic.encode() for topic in PROCESSOR_SOURCES}
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    async with producer:
        for topic, value in garbage.items():
            await producer.send_and_wait(topic, key=b"no payment", value=value)
            await producer.send_and_wait(topic, key=b"a tombstone", value=None)
    async with PaymentsClient(stack.url, stack.api_key) as client:
        body = {"amount": 100, "currency": "EUR", "payment_method": "pm_card_visa"}
        payment_id = await client.create(body)
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
    found = await evidence.at_rest(stack)
    evidence.check(found)
    dead = {
        record.value: headers.as_text(record.headers)
        async for record in records(bootstrap, DEAD_LETTERS)
    }
    for topic, value in garbage.items():
        found_headers = dead[value]
        assert found_headers[headers.ORIGINAL_TOPIC] == topic
        assert found_headers[headers.ERROR]


async def test_the_database_protects_a_final_state(stack: Stack) -> None:
    """SQL by hand cannot change a final status or decrease a version."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        body = {"amount": 100, "currency": "EUR", "payment_method": "pm_card_visa"}
        payment_id = await client.create(body)
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
    with psycopg.connect(stack.infrastructure.database_url, autocommit=True) as connection:
        for change in ("status = 'FAILED'", "version = version - 1", "refunded = captured + 1"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(
                    f"update payments set {change} where payment_id = %s",  # noqa: S608  # three constants
                    [payment_id],
                )


@pytest.mark.parametrize(
    ("foreign", "why"),
    [({"account": "acct_other"}, "account acct_other"), ({"livemode": True}, "live mode")],
)
async def test_an_event_of_another_account_or_mode_changes_nothing(
    stack: Stack, foreign: dict[str, Any], why: str
) -> None:
    """It is recorded as ignored and counted, even with a valid signature and our object."""
    event_id = f"evt_foreign_{'account' if 'account' in foreign else 'mode'}"
    before = stack.metric("stream", "payments_foreign_events_total")
    async with PaymentsClient(stack.url, stack.api_key) as client:
        manual = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
        payment_id = await client.create({**manual, "capture_method": "manual"})
        authorized = await client.wait_for(payment_id, lambda p: bool(p["status"] == "AUTHORIZED"))
        event = json.loads(canceled(payment_id))
        event |= {"id": event_id, **foreign}
        event["data"]["object"]["id"] = authorized["provider_object_id"]
        body = json.dumps(event).encode()
        header = signature(body, stack.webhook_secret, int(time.time()))
        async with httpx.AsyncClient(base_url=stack.url) as provider:
            response = await provider.post(
                "/webhooks/stripe", content=body, headers={"stripe-signature": header}
            )
        assert response.status_code == 200
        entry = await entry_of(client, payment_id, "stripe.payment_intent.canceled")
        assert entry["outcome"] == "ignored"
        assert why in entry["reason"]
        assert await client.get(f"/v1/payments/{payment_id}") == authorized
        # so that the other tests of this stack find nothing in progress
        await client.post(f"/v1/payments/{payment_id}/cancel", {})
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "CANCELED"))
    async with asyncio.timeout(30):
        while stack.metric("stream", "payments_foreign_events_total") != before + 1:  # noqa: ASYNC110  # it is in another process
            await asyncio.sleep(0.05)  # it is counted after it is committed
