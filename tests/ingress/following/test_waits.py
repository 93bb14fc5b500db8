"""Clients that prefer to wait for a decision: what they get, and when."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI

from ingress.database import Database
from schemas.answers import AcceptedOperation, DecidedPayment
from schemas.headers import Headers, cloud_event, operation_event
from schemas.http import Payment
from schemas.identity import payment_id
from schemas.operations import Operation
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE
from tests.ingress.following.conftest import Opened, Replica
from tests.ingress.harness import NOW, PAYMENT, keyed
from tests.ingress.store import StoredPayment
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

#: Longer than any test takes.
LONG = {"Prefer": "wait=30"}
SOON_S = 5.0


class Stream:
    """What the stream publishes, published by a test."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def version(self, accepted: Any, number: int, status: str) -> dict[str, Any]:
        """Publishes a version of an accepted payment. Returns it as the API does."""
        terms = {name: accepted[name] for name in accepted if name in Payment.model_fields}
        shown = Payment.model_validate(
            terms
            | {
                "tenant": accepted["operation"]["tenant"],
                "version": number,
                "status": status,
                "amounts": {"authorized": 0, "captured": 0, "refunded": 0},
                "attempts": 1,
                "next_action": None,
                "failure": None,
                "cancel_requested": False,
                "provider": "stripe",
                "provider_object_id": None,
                "refunds": (),
                "disputes": (),
                "created_at": accepted["operation"]["received_at"],
                "updated_at": accepted["operation"]["received_at"],
                "quarantined": False,
            }
        ).model_dump(mode="json")
        value = {name: shown[name] for name in shown if name != "quarantined"}
        headers = cloud_event(accepted["id"], number, NOW, 1)
        await self._send(PAYMENT_STATE, accepted["id"], value, headers)
        return shown

    async def operation(self, accepted: Any, status: str, **more: Any) -> dict[str, Any]:
        """Publishes a change of an accepted operation. Returns it."""
        changed: dict[str, Any] = accepted["operation"] | {"status": status, **more}
        headers = operation_event(changed["id"], status, changed["payment_id"], NOW)
        await self._send(PAYMENT_OPERATIONS, changed["payment_id"], changed, headers)
        return changed

    async def _send(self, topic: str, key: str, value: Any, headers: Headers) -> None:
        text = json.dumps(value).encode()
        await self._producer.send_and_wait(topic, text, key.encode(), headers=list(headers))


@pytest.fixture
async def stream(kafka_bootstrap: str) -> AsyncIterator[Stream]:
    """A producer on the broker of all tests."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    try:
        yield Stream(producer)
    finally:
        await producer.stop()


@pytest.fixture
async def replica(
    opened: Opened, kafka_bootstrap: str, no_database: Database
) -> AsyncIterator[Replica]:
    """A connected replica without a store: no wait needs one."""
    async with opened(kafka_bootstrap, no_database) as one:
        await one.connected()
        yield one


async def accepted(replica: Replica, key: str, body: dict[str, Any] = PAYMENT) -> Any:
    """Creates a payment without waiting. Returns the answer's body."""
    response = await replica.client.post("/v1/payments", json=body, headers=keyed(key))
    assert response.status_code == 202, response.text
    return response.json()


async def waiting(replica: Replica, count: int = 1) -> None:
    """Returns once as many requests wait, and their commands are in the log."""

    async def wait() -> bool:
        return len(replica.waiters) == count and not replica.publisher._producer._limiter._records

    await until(wait, SOON_S)


def post(
    replica: Replica, path: str, body: Any, key: str, prefer: str = "wait=30"
) -> asyncio.Task[httpx.Response]:
    """Sends a command that prefers to wait."""
    headers = {**keyed(key), "Prefer": prefer}
    return asyncio.create_task(replica.client.post(path, json=body, headers=headers))


async def test_a_create_is_answered_with_its_payment_once_that_has_left_processing(
    replica: Replica, stream: Stream
) -> None:
    """200, with the operation and the payment as they were published, and where it is."""
    first = await accepted(replica, "other")
    answer = post(replica, "/v1/payments", PAYMENT, "order-1")
    await waiting(replica)
    mine = first | {"id": payment_id(first["operation"]["tenant"], "order-1")}
    mine["operation"] = await own_operation(replica, mine["id"], "order-1")
    await stream.version(mine, 1, "CREATED")
    await stream.operation(mine, "applied", version=1, reason="accepted")
    await stream.version(first, 1, "SUCCEEDED")
    await stream.version(mine, 2, "PROCESSING")
    payment = await stream.version(mine, 3, "SUCCEEDED")
    done = await stream.operation(mine, "done", version=3, reason="the provider has it")
    response = await asyncio.wait_for(answer, SOON_S)
    assert response.status_code == 200
    body = response.json()
    assert DecidedPayment.model_validate(body).status == "SUCCEEDED"
    assert (body["payment"], body["operation"]) == (payment, done)
    assert body["payment_method"] == PAYMENT["payment_method"]
    assert response.headers["preference-applied"] == "wait=30"
    assert response.headers["location"] == f"/v1/payments/{mine['id']}"
    assert len(replica.waiters) == 0


async def own_operation(replica: Replica, identifier: str, key: str) -> Any:
    """Returns the operation of a create that was sent, by a retry that does not wait."""
    again = await accepted(replica, key)
    assert again["id"] == identifier
    return again["operation"]


@pytest.mark.parametrize("status", ["rejected", "refused", "done"])
async def test_an_operation_is_answered_once_it_is_final(
    replica: Replica, stream: Stream, status: str
) -> None:
    """A rejection is no error: 200, with its code and reason."""
    payment = await accepted(replica, "order-1")
    path = f"/v1/payments/{payment['id']}/refunds"
    sent = await replica.client.post(path, json={"amount": 5}, headers=keyed("r"))
    other = post(replica, f"/v1/payments/{payment['id']}/cancel", {}, "c")
    retry = post(replica, path, {"amount": 5}, "r")
    await waiting(replica, 2)
    await stream.operation(sent.json(), "applied", version=1)
    final = await stream.operation(sent.json(), status, code="code", reason="why", version=1)
    response = await asyncio.wait_for(retry, SOON_S)
    assert response.status_code == 200
    assert AcceptedOperation.model_validate(response.json()).operation.status == status
    assert response.json() == sent.json() | {"operation": final}
    assert response.headers["preference-applied"] == "wait=30"
    assert not other.done()
    other.cancel()


async def test_at_the_end_of_the_time_the_answer_is_as_without_the_preference(
    replica: Replica,
) -> None:
    """202, and it says how long it would have waited."""
    begun = time.monotonic()
    response = await post(replica, "/v1/payments", PAYMENT, "order-1", "wait=1")
    assert 0.9 < time.monotonic() - begun < SOON_S
    assert (response.status_code, response.headers["preference-applied"]) == (202, "wait=1")
    plain = await replica.client.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    assert "preference-applied" not in plain.headers
    assert response.json() == plain.json()


async def test_a_malformed_preference_is_ignored(replica: Replica) -> None:
    """It is a wish."""
    response = await post(replica, "/v1/payments", PAYMENT, "order-1", "wait=soon")
    assert (response.status_code, "preference-applied" in response.headers) == (202, False)


async def test_without_a_free_waiter_the_answer_comes_at_once(
    opened: Opened, kafka_bootstrap: str, no_database: Database
) -> None:
    """202, and it does not say that it waited. A freed waiter is used again."""
    async with opened(kafka_bootstrap, no_database, waiters_max=1) as replica:
        await replica.connected()
        first = post(replica, "/v1/payments", PAYMENT, "order-1")
        await waiting(replica)
        second = await asyncio.wait_for(post(replica, "/v1/payments", PAYMENT, "order-2"), SOON_S)
        assert (second.status_code, "preference-applied" in second.headers) == (202, False)
        first.cancel()
        await waiting(replica, 0)
        third = post(replica, "/v1/payments", PAYMENT, "order-3")
        await waiting(replica)
        third.cancel()


async def test_a_process_that_does_not_follow_answers_at_once(
    opened: Opened, kafka_bootstrap: str, no_database: Database
) -> None:
    """Nothing would wake the request. It was waiting when the connection was lost: it is woken."""
    async with opened(kafka_bootstrap, no_database) as replica:
        await replica.connected()
        first = post(replica, "/v1/payments", PAYMENT, "order-1")
        await waiting(replica)
        await replica.changes._follower.__aexit__()
        response = await asyncio.wait_for(first, SOON_S)
        assert response.status_code == 202
        response = await asyncio.wait_for(post(replica, "/v1/payments", PAYMENT, "o-2"), SOON_S)
        assert (response.status_code, "preference-applied" in response.headers) == (202, False)


async def test_a_retry_of_what_was_decided_before_waits_for_nothing(
    opened: Opened,
    kafka_bootstrap: str,
    database: Database,
    database_url: str,
    tenant: str,
) -> None:
    """What was published before does not come again; the store has it."""
    async with opened(kafka_bootstrap, database) as replica:
        await replica.connected()
        first = await accepted(replica, "order-1")
        with psycopg.connect(database_url, autocommit=True) as connection:
            stored = StoredPayment(connection, tenant, "order-1")
            stored.version("SUCCEEDED", "evt_1")
            done = first["operation"] | {"status": "done", "version": 1}
            stored.operation(done["id"], json.dumps(done), "done")
        response = await asyncio.wait_for(post(replica, "/v1/payments", PAYMENT, "order-1"), SOON_S)
        assert response.status_code == 200
        body = response.json()
        assert (body["status"], body["operation"]) == ("SUCCEEDED", done)
        assert response.headers["idempotent-replayed"] == "true"


async def test_a_payment_is_read_once_it_has_left_processing(
    opened: Opened, kafka_bootstrap: str, database: Database, stream: Stream
) -> None:
    """As it was published then. One that has left is returned at once."""
    async with opened(kafka_bootstrap, database) as replica:
        await replica.connected()
        payment = await accepted(replica, "order-1")
        path = f"/v1/payments/{payment['id']}"
        answer = asyncio.create_task(replica.client.get(path, headers=LONG))
        await waiting(replica)
        await stream.version(payment, 1, "PROCESSING")
        shown = await stream.version(payment, 2, "REQUIRES_ACTION")
        response = await asyncio.wait_for(answer, SOON_S)
        assert (response.status_code, response.json()) == (200, shown)
        assert response.headers["preference-applied"] == "wait=30"

        response = await replica.client.get(path, headers={"Prefer": "wait=1"})
        assert (response.status_code, response.json()["version"]) == (200, 0), "as the store has it"


async def test_an_operation_is_read_once_it_is_final(
    opened: Opened, kafka_bootstrap: str, database: Database, stream: Stream
) -> None:
    """As it was published then."""
    async with opened(kafka_bootstrap, database) as replica:
        await replica.connected()
        payment = await accepted(replica, "order-1")
        path = f"/v1/operations/{payment['operation']['id']}"
        answer = asyncio.create_task(replica.client.get(path, headers=LONG))
        await waiting(replica)
        await stream.operation(payment, "applied", version=1)
        final = await stream.operation(payment, "refused", version=2, code="card_declined")
        response = await asyncio.wait_for(answer, SOON_S)
        assert (response.status_code, response.json()) == (200, final)
        assert Operation.model_validate(response.json()).status == "refused"

        response = await replica.client.get(path, headers={"Prefer": "wait=1"})
        assert (response.status_code, response.json()["status"]) == (200, "accepted")


async def test_a_client_that_leaves_frees_its_waiter(replica: Replica, run: str) -> None:
    """It has nothing to wait for any more."""
    left = asyncio.Event()
    body = json.dumps(PAYMENT).encode()
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        for message in given:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        """Nobody reads the answer."""

    request = asyncio.create_task(_call(replica.app, run, receive, send))
    await waiting(replica)
    left.set()
    await asyncio.wait_for(request, SOON_S)
    assert len(replica.waiters) == 0


async def _call(app: FastAPI, key: str, receive: Any, send: Any) -> None:
    headers = {
        "authorization": "Bearer key-of-acme",
        "content-type": "application/json",
        "idempotency-key": key,
        "prefer": "wait=30",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/payments",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)


async def test_nothing_is_fetched_while_nobody_waits(replica: Replica, stream: Stream) -> None:
    """Every process would have to read every version. What came meanwhile is left out."""
    follower = replica.changes._follower
    before = dict(follower._positions)
    payment = await accepted(replica, "order-1")
    for number in range(1, 4):
        await stream.version(payment, number, "PROCESSING")
    assert follower._positions == before
    answer = post(replica, "/v1/payments", PAYMENT, "order-2")
    await waiting(replica)
    assert sum(follower._positions.values()) == sum(before.values()) + 3
    answer.cancel()
