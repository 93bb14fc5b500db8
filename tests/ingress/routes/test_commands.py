"""What is published for a command, what is answered, and how a retry meets itself."""

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

OURS = identity.payment_id("acme", "order-1")
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
    """In place of none: a store that answers, and has nothing yet."""
    return FakeStore()


async def create(
    client: httpx.AsyncClient, key: str = "order-1", body: dict[str, Any] = PAYMENT
) -> httpx.Response:
    """Asks for a payment."""
    return await client.post("/v1/payments", json=body, headers=keyed(key))


async def test_a_create_is_published_and_accepted(acme: httpx.AsyncClient, log: Log) -> None:
    """202, Location and the payment as accepted; the command is keyed by the payment ID."""
    answer = await create(acme, body=FULL)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/payments/{OURS}"
    accepted = answer.json()
    assert {name: accepted[name] for name in FULL} == FULL
    assert (accepted["id"], accepted["status"]) == (OURS, "CREATED")

    (record,) = log.records
    assert (record.topic, record.key) == (PAYMENT_COMMANDS, OURS.encode())
    command = VALUE.validate_json(record.value)
    assert isinstance(command, CreatePayment)
    assert {name: getattr(command, name) for name in FULL} == FULL
    assert (command.payment_id, command.tenant, command.provider) == (OURS, "acme", "stripe")
    assert command.received_at == NOW
    assert command.expires_at == NOW + timedelta(hours=1)
    assert command.event_id == accepted["event_id"]


@pytest.mark.parametrize(
    ("path", "body", "kind", "expected"),
    [
        ("confirm", {"payment_method": "pm_2"}, "confirm", {"payment_method": "pm_2"}),
        ("capture", {"amount": 5}, "capture", {"amount": 5}),
        ("capture", {}, "capture", {"amount": None}),
        ("cancel", {}, "cancel", {"cause": "requested"}),
        ("refunds", {"amount": 7}, "refund", {"amount": 7, "reason": None}),
        ("refunds", {"reason": "duplicate"}, "refund", {"amount": None, "reason": "duplicate"}),
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
    """Each operation is its own command under the payment's key, and answers what was accepted."""
    answer = await acme.post(f"/v1/payments/{OURS}/{path}", json=body, headers=keyed("k"))
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/payments/{OURS}"
    (record,) = log.records
    assert record.key == OURS.encode()
    command = VALUE.validate_json(record.value)
    assert isinstance(command, CommandBase)
    sent = command.model_dump()
    assert sent["type"] == kind
    assert {name: sent[name] for name in expected} == expected
    echo: dict[str, Any] = {"amount": None, "amount_is": None}
    if "amount" in expected:
        given = expected["amount"] is not None
        echo = {
            "amount": expected["amount"],
            "amount_is": "given" if given else "all_that_is_left",
        }
    refund_id = identity.refund_id(OURS, "k") if isinstance(command, RefundPayment) else None
    assert answer.json() == {
        "payment_id": OURS,
        "operation": kind,
        "operation_id": command.operation_id,
        "event_id": command.event_id,
        "refund_id": refund_id,
        **echo,
    }


async def test_a_retry_is_answered_alike(acme: httpx.AsyncClient, log: Log) -> None:
    """The same key and body: the same 202, marked as a replay, and one record."""
    first, second = await create(acme), await create(acme)
    assert (second.status_code, second.json()) == (202, first.json())
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert len(log.records) == 1


async def test_spelling_is_no_difference(acme: httpx.AsyncClient, log: Log) -> None:
    """Order, white space, case of the currency and defaults written out are the same body."""
    await create(acme)
    same = b'{ "payment_method":"pm_card_visa","currency":"eur", "amount":1999, "metadata":{} }'
    headers = {"Content-Type": "application/json", **keyed("order-1")}
    assert (await acme.post("/v1/payments", content=same, headers=headers)).status_code == 202
    assert len(log.records) == 1


@pytest.mark.parametrize("change", [{"amount": 2000}, {"currency": "USD"}, {"max_attempts": 2}])
async def test_another_body_is_refused(
    acme: httpx.AsyncClient, log: Log, change: dict[str, Any]
) -> None:
    """The same key with another body is 422, and the first body stays right."""
    await create(acme)
    second = await create(acme, body={**PAYMENT, **change})
    assert_problem(second, 422, "idempotency-key-reused")
    assert (await create(acme)).status_code == 202
    assert len(log.records) == 1


async def test_another_body_at_the_same_time_is_refused(acme: httpx.AsyncClient, log: Log) -> None:
    """The second of two bodies is refused while the first is still on its way to the broker."""
    log.gate = asyncio.Event()
    first = asyncio.create_task(create(acme))
    await log.waiting.wait()
    second = await create(acme, body={**PAYMENT, "amount": 1})
    log.gate.set()
    assert_problem(second, 422, "idempotency-key-reused")
    assert (await first).status_code == 202
    assert len(log.records) == 1


async def test_twenty_at_once_are_one_operation(acme: httpx.AsyncClient, log: Log) -> None:
    """Twenty requests with one key: twenty equal answers, and equal records under one event ID."""
    answers = await asyncio.gather(*(create(acme) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    events = {VALUE.validate_json(record.value).event_id for record in log.records}
    assert events == {answers[0].json()["event_id"]}
    times = {VALUE.validate_json(record.value).received_at for record in log.records}
    assert len(times) == 1


async def test_one_key_names_another_operation_elsewhere(acme: httpx.AsyncClient, log: Log) -> None:
    """A key is looked at within its payment and operation."""
    await create(acme, "k")
    for path in ("cancel", "capture", "refunds"):
        answer = await acme.post(f"/v1/payments/{OURS}/{path}", json={}, headers=keyed("k"))
        assert answer.status_code == 202
    ids = {json.loads(record.value)["operation_id"] for record in log.records}
    assert len(ids) == 4


async def test_no_answer_from_the_broker_is_503(
    acme: httpx.AsyncClient, log: Log, metrics: Metrics
) -> None:
    """503 with Retry-After; the retry goes out again under the same event ID."""
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


async def test_a_record_that_may_be_there_holds_its_key(acme: httpx.AsyncClient, log: Log) -> None:
    """After a time-out another body is refused: the first may be in the log."""
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    await create(acme)
    log.failure = None
    second = await create(acme, body={**PAYMENT, "amount": 1})
    assert_problem(second, 422, "idempotency-key-reused")


async def test_a_record_that_never_left_frees_its_key(acme: httpx.AsyncClient, log: Log) -> None:
    """After a refusal without sending, the client may mend its body under the same key."""
    log.failure = BrokerUnavailableError("not connected yet", sent=False)
    await create(acme)
    log.failure = None
    assert (await create(acme, body={**PAYMENT, "amount": 1})).status_code == 202


async def test_nothing_needs_postgres(
    app: FastAPI, metrics: Metrics, no_database: FakeStore
) -> None:
    """A look-up that gets no answer is skipped and counted; soon after, none is tried."""
    no_database.answers = False
    async with client_of(app) as client:
        for key in ("a", "b", "c"):
            assert (await create(client, key)).status_code == 202
    assert b"payments_ingress_lookups_skipped_total 3.0" in metrics.exposition()
