"""Commands: the published record, the response, and retries."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ingress.errors import BrokerUnavailableError
from ingress.metrics import Metrics
from schemas import identity
from schemas.commands import VALUE, CommandBase, CreatePayment, RefundPayment
from schemas.topics import PAYMENT_COMMANDS
from tests.ingress.harness import (
    NOW,
    PAYMENT,
    FakeStore,
    Log,
    assert_problem,
    client_of,
    keyed,
)

pytestmark = pytest.mark.anyio

PAYMENT_ID = identity.payment_id("acme", "order-1")
FULL: dict[str, Any] = {
    **PAYMENT,
    "capture_method": "manual",
    "max_attempts": 3,
    "return_url": "https://shop.example/return",
    "description": "Two books",
    "metadata": {"order": "1001"},
}


@pytest.fixture
def no_database() -> FakeStore:
    """An available, empty store in place of the missing database."""
    return FakeStore()


async def create(
    client: httpx.AsyncClient, key: str = "order-1", body: dict[str, Any] = PAYMENT
) -> httpx.Response:
    """Requests a payment."""
    return await client.post("/v1/payments", json=body, headers=keyed(key))


def operation_of(command: CommandBase) -> dict[str, Any]:
    """Returns the operation of a command while nothing is decided, as a client gets it."""
    sent = command.model_dump(mode="json")
    return {
        "id": identity.public_operation_id(command.payment_id, command.event_id),
        "payment_id": command.payment_id,
        "tenant": "acme",
        "type": sent["type"],
        "status": "accepted",
        "code": None,
        "reason": None,
        "version": None,
        "refund_id": sent.get("refund_id"),
        "received_at": sent["received_at"],
        "updated_at": sent["received_at"],
    }


async def test_a_create_is_published_and_accepted(acme: httpx.AsyncClient, log: Log) -> None:
    """The 202 has a Location and the accepted payment; the command's key is the payment ID."""
    response = await create(acme, body=FULL)
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/payments/{PAYMENT_ID}"
    accepted = response.json()
    assert {name: accepted[name] for name in FULL} == FULL
    assert (accepted["id"], accepted["status"]) == (PAYMENT_ID, "CREATED")

    (record,) = log.records
    assert (record.topic, record.key) == (PAYMENT_COMMANDS, PAYMENT_ID.encode())
    command = VALUE.validate_json(record.value)
    assert isinstance(command, CreatePayment)
    assert {name: getattr(command, name) for name in FULL} == FULL
    assert (command.payment_id, command.tenant, command.provider) == (PAYMENT_ID, "acme", "stripe")
    assert command.received_at == NOW
    assert command.expires_at == NOW + timedelta(hours=1)
    assert command.event_id == accepted["event_id"]
    assert accepted["operation"] == operation_of(command)


@pytest.mark.parametrize(
    ("path", "body", "kind", "expected"),
    [
        ("confirm", {"payment_method": "pm_2"}, "confirm", {"payment_method": "pm_2"}),
        ("capture", {"amount": 5}, "capture", {"amount": 5}),
        ("capture", {"amount": "all"}, "capture", {"amount": "all"}),
        ("cancel", {}, "cancel", {"cause": "requested"}),
        ("refunds", {"amount": 7}, "refund", {"amount": 7, "reason": None}),
        (
            "refunds",
            {"amount": "all", "reason": "duplicate"},
            "refund",
            {"amount": "all", "reason": "duplicate"},
        ),
    ],
)
async def test_an_operation_is_published_and_accepted(
    acme: httpx.AsyncClient,
    log: Log,
    path: str,
    body: dict[str, Any],
    kind: str,
    expected: dict[str, Any],
) -> None:
    """Each operation is a command under the payment's key; the 202 has what was accepted."""
    response = await acme.post(f"/v1/payments/{PAYMENT_ID}/{path}", json=body, headers=keyed("k"))
    assert response.status_code == 202
    (record,) = log.records
    assert record.key == PAYMENT_ID.encode()
    command = VALUE.validate_json(record.value)
    assert isinstance(command, CommandBase)
    sent = command.model_dump()
    assert sent["type"] == kind
    assert {name: sent[name] for name in expected} == expected
    refund_id = identity.refund_id(PAYMENT_ID, "k") if isinstance(command, RefundPayment) else None
    accepted = response.json()
    assert response.headers["location"] == f"/v1/operations/{accepted['operation']['id']}"
    assert accepted == {
        "payment_id": PAYMENT_ID,
        "type": kind,
        "operation": operation_of(command),
        "event_id": command.event_id,
        "refund_id": refund_id,
        "amount": expected.get("amount"),
        "payment_method": expected.get("payment_method"),
        "reason": expected.get("reason"),
    }


async def test_a_retry_gets_the_same_response(acme: httpx.AsyncClient, log: Log) -> None:
    """The same key and body give the same 202, marked as a replay, and one record."""
    first, second = await create(acme), await create(acme)
    assert (second.status_code, second.json()) == (202, first.json())
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert len(log.records) == 1


async def test_equivalent_bodies_are_the_same(acme: httpx.AsyncClient, log: Log) -> None:
    """Order, white space, the currency's case and explicit defaults make no difference."""
    await create(acme)
    same = b'{ "payment_method":"pm_card_visa","currency":"eur", "amount":1999, "metadata":{} }'
    headers = {"Content-Type": "application/json", **keyed("order-1")}
    assert (await acme.post("/v1/payments", content=same, headers=headers)).status_code == 202
    assert len(log.records) == 1


@pytest.mark.parametrize("change", [{"amount": 2000}, {"currency": "USD"}, {"max_attempts": 2}])
async def test_another_body_is_refused(
    acme: httpx.AsyncClient, log: Log, change: dict[str, Any]
) -> None:
    """The same key with another body is 422, and the first body is still accepted."""
    await create(acme)
    second = await create(acme, body={**PAYMENT, **change})
    assert_problem(second, 422, "idempotency-key-reused")
    assert (await create(acme)).status_code == 202
    assert len(log.records) == 1


async def test_another_body_at_the_same_time_is_refused(acme: httpx.AsyncClient, log: Log) -> None:
    """The second body is refused while the first is still being published."""
    log.gate = asyncio.Event()
    first = asyncio.create_task(create(acme))
    await log.waiting.wait()
    second = await create(acme, body={**PAYMENT, "amount": 100})
    log.gate.set()
    assert_problem(second, 422, "idempotency-key-reused")
    assert (await first).status_code == 202
    assert len(log.records) == 1


async def test_concurrent_requests_with_one_key_are_one_operation(
    acme: httpx.AsyncClient, log: Log
) -> None:
    """Twenty requests get equal responses and publish equal records with one event ID."""
    responses = await asyncio.gather(*(create(acme) for _ in range(20)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.text for response in responses}) == 1
    events = {VALUE.validate_json(record.value).event_id for record in log.records}
    assert events == {responses[0].json()["event_id"]}
    times = {VALUE.validate_json(record.value).received_at for record in log.records}
    assert len(times) == 1


async def test_a_key_applies_to_one_payment_and_operation(
    acme: httpx.AsyncClient, log: Log
) -> None:
    """The same key names different operations on different routes."""
    await create(acme, "k")
    for path, body in (
        ("cancel", {}), ("capture", {"amount": "all"}), ("refunds", {"amount": "all"}),
    ):  # fmt: skip
        response = await acme.post(
            f"/v1/payments/{PAYMENT_ID}/{path}", json=body, headers=keyed("k")
        )
        assert response.status_code == 202
    ids = {json.loads(record.value)["operation_id"] for record in log.records}
    assert len(ids) == 4


async def test_a_publish_timeout_is_503(
    acme: httpx.AsyncClient, log: Log, metrics: Metrics
) -> None:
    """The 503 has a Retry-After, and the retry is published."""
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    refused = await create(acme)
    assert_problem(refused, 503, "broker-unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert b'unavailable_total{problem="broker-unavailable"} 1.0' in metrics.exposition()
    log.failure = None
    accepted = await create(acme)
    assert accepted.status_code == 202
    assert "idempotent-replayed" not in accepted.headers
    assert len(log.records) == 1


async def test_a_record_that_may_be_published_keeps_its_key(
    acme: httpx.AsyncClient, log: Log
) -> None:
    """After a timeout another body is refused, because the first may be in the log."""
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    await create(acme)
    log.failure = None
    second = await create(acme, body={**PAYMENT, "amount": 100})
    assert_problem(second, 422, "idempotency-key-reused")


async def test_a_record_that_was_never_sent_frees_its_key(
    acme: httpx.AsyncClient, log: Log
) -> None:
    """The client may then send a corrected body with the same key."""
    log.failure = BrokerUnavailableError("not connected yet", sent=False)
    await create(acme)
    log.failure = None
    assert (await create(acme, body={**PAYMENT, "amount": 100})).status_code == 202


async def test_commands_need_no_postgres(
    app: FastAPI, metrics: Metrics, no_database: FakeStore
) -> None:
    """Failed look-ups are skipped and counted."""
    no_database.available = False
    async with client_of(app) as client:
        for key in ("a", "b", "c"):
            assert (await create(client, key)).status_code == 202
    assert b"payments_ingress_lookups_skipped_total 3.0" in metrics.exposition()
