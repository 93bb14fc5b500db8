"""Two bodies under one key: one is refused only where the other is known to be the first."""

import itertools
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from ingress import command_service
from ingress.database import Database
from ingress.errors import BrokerUnavailableError
from ingress.metrics import Metrics
from postgres.reads import FirstInput
from sandbox.supervision.ports import HOST, free_ports
from schemas import identity
from schemas.commands import VALUE
from schemas.http import CreateRequest
from tests.ingress.harness import (
    NOW,
    PAYMENT,
    FakeStore,
    Log,
    application,
    assert_problem,
    client_of,
    keyed,
)
from tests.ingress.store import StoredPayment
from tests.ingress.tcp_gate import Door
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

RIGHT, WRONG = {**PAYMENT, "amount": 500}, {**PAYMENT, "amount": 502}
KEY = "order-1"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is asked each time, also right after it did not answer."""
    monkeypatch.setattr(command_service, "LOOKUP_PAUSE_S", 0.0)


@pytest.fixture
def store() -> FakeStore:
    """A store that answers, and has nothing yet."""
    return FakeStore()


@pytest.fixture
def no_database(store: FakeStore) -> FakeStore:
    """What the application is made with."""
    return store


def event_id(body: dict[str, Any], tenant: str = "acme") -> str:
    """The event ID of a create with this body."""
    sent = CreateRequest.model_validate(body).model_dump(mode="json", exclude_none=True)
    operation_id = identity.operation_id(tenant, identity.payment_id(tenant, KEY), "create", KEY)
    return identity.command_event_id(operation_id, identity.fingerprint(sent))


async def create(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    """Asks for a payment under the one key."""
    return await client.post("/v1/payments", json=body, headers=keyed(KEY))


def published(log: Log) -> list[int]:
    """The amounts of the creates in the log."""
    return [json.loads(record.value)["amount"] for record in log.records]


async def test_a_body_taken_in_unseen_refuses_no_other(
    acme: httpx.AsyncClient, log: Log, store: FakeStore
) -> None:
    """The store does not answer: both bodies are published, and the processor has the word."""
    store.answers = False
    assert (await create(acme, WRONG)).status_code == 202
    assert (await create(acme, RIGHT)).status_code == 202
    assert (await create(acme, WRONG)).status_code == 202
    assert set(published(log)) == {500, 502}


@pytest.mark.parametrize("first", [RIGHT, WRONG])
async def test_the_store_corrects_what_was_believed(
    acme: httpx.AsyncClient, log: Log, store: FakeStore, first: dict[str, Any]
) -> None:
    """Once it names the first body, that one is a replay and the other refused, whichever it is."""
    second = WRONG if first is RIGHT else RIGHT
    store.answers = False
    for body in (WRONG, RIGHT):
        await create(acme, body)
    store.answers, store.first = True, FirstInput(event_id(first), NOW)
    sent = len(log.records)
    for _ in range(2):
        assert_problem(await create(acme, second), 422, "idempotency-key-reused")
        replay = await create(acme, first)
        assert (replay.status_code, replay.headers["idempotent-replayed"]) == (202, "true")
        store.answers = False  # what it said once holds without it
    assert len(log.records) == sent


async def test_a_store_that_is_behind_refuses_nothing_taken_in_unseen(
    acme: httpx.AsyncClient, log: Log, store: FakeStore
) -> None:
    """It is back and has nothing yet: the first body may still be in the log."""
    store.answers = False
    assert (await create(acme, WRONG)).status_code == 202
    store.answers = True
    assert (await create(acme, WRONG)).status_code == 202
    assert (await create(acme, RIGHT)).status_code == 202
    assert (await create(acme, WRONG)).status_code == 202
    assert set(published(log)) == {500, 502}


async def test_a_wrong_body_that_was_looked_up_is_corrected_too(
    acme: httpx.AsyncClient, store: FakeStore
) -> None:
    """The store was behind when the wrong body came: as soon as it names the first, that holds."""
    assert (await create(acme, WRONG)).status_code == 202
    store.first = FirstInput(event_id(RIGHT), NOW)
    assert_problem(await create(acme, WRONG), 422, "idempotency-key-reused")
    assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"


async def test_a_looked_up_body_holds_its_key_while_the_store_is_away(
    acme: httpx.AsyncClient, log: Log, store: FakeStore
) -> None:
    """The store had nothing when it came, so it is the first as far as anybody can tell."""
    assert (await create(acme, RIGHT)).status_code == 202
    store.answers = False
    assert_problem(await create(acme, WRONG), 422, "idempotency-key-reused")
    assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"
    assert published(log) == [500]


@pytest.mark.parametrize("outcomes", list(itertools.product([None, True, False], repeat=3)))
async def test_the_first_body_is_never_refused(
    acme: httpx.AsyncClient, log: Log, store: FakeStore, outcomes: tuple[bool | None, ...]
) -> None:
    """The right body is stored; whatever the brokers did to wrong ones in an outage, it is taken.

    Each wrong body is published (None), lost before it left (False), or of unknown fate (True).
    """
    store.answers, store.first = False, FirstInput(event_id(RIGHT), NOW)
    for amount, sent in enumerate(outcomes, 600):
        log.failure = None if sent is None else BrokerUnavailableError("away", sent=sent)
        await create(acme, {**PAYMENT, "amount": amount})
        log.failure = None
        assert (await create(acme, RIGHT)).status_code == 202
    store.answers = True
    assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the real store."""
    with psycopg.connect(database_url, autocommit=True) as connected:
        yield connected


@pytest.fixture
async def door(connection: psycopg.Connection[Any]) -> AsyncIterator[Door]:
    """A door before the real Postgres, closed."""
    async with Door(free_ports(1)[0], connection.info.port) as closed:
        yield closed


async def test_postgres_away_and_back(
    database_url: str,
    connection: psycopg.Connection[Any],
    door: Door,
    log: Log,
    metrics: Metrics,
) -> None:
    """Stored: 500. A new ingress without Postgres takes 502 and 500; with it, 500 and only 500."""
    tenant = f"acme-{uuid.uuid4().hex}"
    stored = StoredPayment(connection, tenant, KEY)
    operation_id = identity.operation_id(tenant, stored.id, "create", KEY)
    stored.inbox(event_id(RIGHT, tenant), 0, tenant=tenant, operation_id=operation_id)
    behind = psycopg.conninfo.make_conninfo(database_url, host=HOST, port=door.port)
    async with Database(SecretStr(behind)) as database:
        app = application(log, database, metrics, {tenant: "key-of-acme"})
        async with client_of(app) as acme:
            assert (await create(acme, WRONG)).status_code == 202
            assert (await create(acme, RIGHT)).status_code == 202
            await door.open()

            async def corrected() -> bool:
                assert (await create(acme, RIGHT)).status_code == 202
                return (await create(acme, WRONG)).status_code == 422

            await until(corrected, 20)
            assert_problem(await create(acme, WRONG), 422, "idempotency-key-reused")
            assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"
    events = {VALUE.validate_json(record.value).event_id for record in log.records}
    assert events == {event_id(RIGHT, tenant), event_id(WRONG, tenant)}
