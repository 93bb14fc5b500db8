"""One Idempotency-Key with two bodies: one is refused only if the other is known to be first."""

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
from tests.ingress.tcp_gate import TcpGate
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

RIGHT, WRONG = {**PAYMENT, "amount": 500}, {**PAYMENT, "amount": 502}
KEY = "order-1"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look-ups are tried even right after one failed."""
    monkeypatch.setattr(command_service, "LOOKUP_PAUSE_S", 0.0)


@pytest.fixture
def store() -> FakeStore:
    """An available, empty store."""
    return FakeStore()


@pytest.fixture
def no_database(store: FakeStore) -> FakeStore:
    """The store, as the application's database."""
    return store


def event_id(body: dict[str, Any], tenant: str = "acme") -> str:
    """Returns the event ID of a create with this body."""
    sent = CreateRequest.model_validate(body).model_dump(mode="json", exclude_none=True)
    operation_id = identity.operation_id(tenant, identity.payment_id(tenant, KEY), "create", KEY)
    return identity.command_event_id(operation_id, identity.fingerprint(sent))


async def create(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    """Requests a payment with ``KEY``."""
    return await client.post("/v1/payments", json=body, headers=keyed(KEY))


def published(log: Log) -> list[int]:
    """Returns the amounts of the creates in the log."""
    return [json.loads(record.value)["amount"] for record in log.records]


async def test_without_the_store_every_body_is_accepted(
    acme: httpx.AsyncClient, log: Log, store: FakeStore
) -> None:
    """Both bodies are published; the processor decides between them."""
    store.available = False
    assert (await create(acme, WRONG)).status_code == 202
    assert (await create(acme, RIGHT)).status_code == 202
    assert (await create(acme, WRONG)).status_code == 202
    assert set(published(log)) == {500, 502}


@pytest.mark.parametrize("first", [RIGHT, WRONG])
async def test_the_store_decides_which_body_was_first(
    acme: httpx.AsyncClient, log: Log, store: FakeStore, first: dict[str, Any]
) -> None:
    """Once the store returns the first body, that one is a replay and the other is refused."""
    second = WRONG if first is RIGHT else RIGHT
    store.available = False
    for body in (WRONG, RIGHT):
        await create(acme, body)
    store.available, store.first = True, FirstInput(event_id(first), NOW)
    sent = len(log.records)
    for _ in range(2):
        assert_problem(await create(acme, second), 422, "idempotency-key-reused")
        replay = await create(acme, first)
        assert (replay.status_code, replay.headers["idempotent-replayed"]) == (202, "true")
        store.available = False  # its earlier result still counts
    assert len(log.records) == sent


async def test_a_lagging_store_refuses_no_body_accepted_without_it(
    acme: httpx.AsyncClient, log: Log, store: FakeStore
) -> None:
    """The store is available again but empty: the first body may still be in the log."""
    store.available = False
    assert (await create(acme, WRONG)).status_code == 202
    store.available = True
    assert (await create(acme, WRONG)).status_code == 202
    assert (await create(acme, RIGHT)).status_code == 202
    assert (await create(acme, WRONG)).status_code == 202
    assert set(published(log)) == {500, 502}


async def test_the_store_corrects_an_earlier_lookup(
    acme: httpx.AsyncClient, store: FakeStore
) -> None:
    """The store lagged when the wrong body was accepted; later it returns the first body."""
    assert (await create(acme, WRONG)).status_code == 202
    store.first = FirstInput(event_id(RIGHT), NOW)
    assert_problem(await create(acme, WRONG), 422, "idempotency-key-reused")
    assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"


async def test_a_looked_up_body_keeps_its_key_during_an_outage(
    acme: httpx.AsyncClient, log: Log, store: FakeStore
) -> None:
    """The store was empty when it arrived, so it counts as the first body."""
    assert (await create(acme, RIGHT)).status_code == 202
    store.available = False
    assert_problem(await create(acme, WRONG), 422, "idempotency-key-reused")
    assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"
    assert published(log) == [500]


@pytest.mark.parametrize("outcomes", list(itertools.product([None, True, False], repeat=3)))
async def test_the_first_body_is_never_refused(
    acme: httpx.AsyncClient, log: Log, store: FakeStore, outcomes: tuple[bool | None, ...]
) -> None:
    """The stored body is accepted, no matter how publishing wrong bodies ended in an outage.

    Each wrong body is published (None), never sent (False), or sent without confirmation (True).
    """
    store.available, store.first = False, FirstInput(event_id(RIGHT), NOW)
    for amount, sent in enumerate(outcomes, 600):
        log.failure = None if sent is None else BrokerUnavailableError("away", sent=sent)
        await create(acme, {**PAYMENT, "amount": amount})
        log.failure = None
        assert (await create(acme, RIGHT)).status_code == 202
    store.available = True
    assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the real store."""
    with psycopg.connect(database_url, autocommit=True) as connected:
        yield connected


@pytest.fixture
async def gate(connection: psycopg.Connection[Any]) -> AsyncIterator[TcpGate]:
    """A closed gate before the real Postgres."""
    async with TcpGate(free_ports(1)[0], connection.info.port) as closed:
        yield closed


async def test_a_postgres_outage_ends(
    database_url: str,
    connection: psycopg.Connection[Any],
    gate: TcpGate,
    log: Log,
    metrics: Metrics,
) -> None:
    """The amount 500 is stored. The ingress accepts 502 during the outage, but not afterwards."""
    tenant = f"acme-{uuid.uuid4().hex}"
    stored = StoredPayment(connection, tenant, KEY)
    operation_id = identity.operation_id(tenant, stored.id, "create", KEY)
    stored.inbox(event_id(RIGHT, tenant), 0, tenant=tenant, operation_id=operation_id)
    behind = psycopg.conninfo.make_conninfo(database_url, host=HOST, port=gate.port)
    async with Database(SecretStr(behind)) as database:
        app = application(log, database, metrics, {tenant: "key-of-acme"})
        async with client_of(app) as acme:
            assert (await create(acme, WRONG)).status_code == 202
            assert (await create(acme, RIGHT)).status_code == 202
            await gate.open()

            async def corrected() -> bool:
                assert (await create(acme, RIGHT)).status_code == 202
                return (await create(acme, WRONG)).status_code == 422

            await until(corrected, 20)
            assert_problem(await create(acme, WRONG), 422, "idempotency-key-reused")
            assert (await create(acme, RIGHT)).headers["idempotent-replayed"] == "true"
    events = {VALUE.validate_json(record.value).event_id for record in log.records}
    assert events == {event_id(RIGHT, tenant), event_id(WRONG, tenant)}
