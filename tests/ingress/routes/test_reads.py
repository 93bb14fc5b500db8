"""What a tenant reads, from a real Postgres: its own payments as published, and their history."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import Connection
from pydantic import SecretStr

from ingress.database import Database
from ingress.metrics import Metrics
from postgres import reads
from schemas import identity
from schemas.http import CreateRequest, Timeline
from tests.ingress.harness import (
    NOW,
    PAYMENT,
    TENANT_KEYS,
    Log,
    application,
    assert_problem,
    client_of,
    keyed,
)
from tests.ingress.store import StoredPayment

pytestmark = pytest.mark.anyio

Store = Callable[..., StoredPayment]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """A connection to the real store."""
    with psycopg.connect(database_url, autocommit=True) as connected:
        yield connected


@pytest.fixture
def run() -> str:
    """Sets this test's rows apart from every other's."""
    return uuid.uuid4().hex


@pytest.fixture
def store(connection: Connection[Any], run: str) -> Store:
    """Stores payments of a tenant under keys of this test's own."""

    def payment(key: str, tenant: str = "acme", **fields: Any) -> StoredPayment:
        return StoredPayment(connection, f"{tenant}-{run}", key, **fields)

    return payment


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The ingress's own pool."""
    async with Database(SecretStr(database_url)) as opened:
        yield opened


@pytest.fixture
async def clients(
    database: Database, log: Log, metrics: Metrics, run: str
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A client of each tenant."""
    tenants = {f"{name}-{run}": key for name, key in TENANT_KEYS.items()}
    app = application(log, database, metrics, tenants)
    async with client_of(app) as acme, client_of(app, "globex") as globex:
        yield {"acme": acme, "globex": globex}


@pytest.fixture
def acme(clients: dict[str, httpx.AsyncClient]) -> httpx.AsyncClient:
    """The client of the tenant that has the payments."""
    return clients["acme"]


async def test_a_payment_is_its_last_version(store: Store, acme: httpx.AsyncClient) -> None:
    """The snapshot as published, of the present version, and that nothing is wrong with it."""
    payment = store("a")
    payment.version("CREATED", "cmd_1")
    last = payment.version("SUCCEEDED", "evt_1")
    answer = await acme.get(f"/v1/payments/{payment.id}")
    assert (answer.status_code, answer.json()) == (200, {**last, "quarantined": False})
    assert answer.headers["content-type"] == "application/json"


async def test_a_quarantined_payment_says_so_wherever_it_is_read(
    store: Store, acme: httpx.AsyncClient
) -> None:
    """Alone, on a page beside one that is well, in its timeline; not what our own error says."""
    well, ill = store("well"), store("ill", created_at=NOW - timedelta(seconds=1))
    well.version("CREATED", "cmd_1")
    shown = ill.version("CREATED", "cmd_2")
    ill.quarantine("evt_bad", "ZeroDivisionError: private")
    alone = await acme.get(f"/v1/payments/{ill.id}")
    assert alone.json() == {**shown, "quarantined": True}
    page = (await acme.get("/v1/payments")).json()
    assert [(p["id"], p["quarantined"]) for p in page["data"]] == [(well.id, False), (ill.id, True)]
    timeline = await acme.get(f"/v1/payments/{ill.id}/timeline")
    assert timeline.json()["quarantined"] is True
    assert "evt_bad" in timeline.json()["quarantine"]
    assert "private" not in alone.text + timeline.text
    other = await acme.get(f"/v1/payments/{well.id}/timeline")
    assert (other.json()["quarantined"], other.json()["quarantine"]) == (False, None)


async def test_a_payment_not_processed_yet_is_404_for_now(
    acme: httpx.AsyncClient, run: str
) -> None:
    """An ID that could be a payment of this tenant: come back in a moment."""
    ours = identity.payment_id(f"acme-{run}", "just accepted")
    for path in ("", "/timeline"):
        answer = await acme.get(f"/v1/payments/{ours}{path}")
        problem = assert_problem(answer, 404, "payment-not-ready")
        assert "not be processed yet" in problem["detail"]
        assert answer.headers["retry-after"] == "1"


async def test_rows_are_filtered_by_tenant_too(store: Store, database: Database, run: str) -> None:
    """The ID's check characters are a filter; the SQL names the tenant as well."""
    payment = store("a")
    payment.version("CREATED", "cmd_1")
    other = f"globex-{run}"
    assert await database.run(lambda c: reads.snapshot(c, payment.id, other), 5) is None
    assert await database.run(lambda c: reads.history(c, payment.id, other), 5) is None
    assert await database.run(lambda c: reads.page(c, other, None, None, 9), 5) == []


async def test_pages_hold_everything_once(store: Store, acme: httpx.AsyncClient) -> None:
    """Newest first, ties by ID, and no payment is missing or repeated."""
    for number in range(7):
        # Three moments for seven payments: most of them tie.
        store(f"p{number}", created_at=NOW + timedelta(seconds=number // 3)).version(
            "CREATED", f"cmd_{number}"
        )
    store("theirs", "globex").version("CREATED", "cmd_x")
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor is not None:
        parameters = {"limit": "3", **({} if cursor is None else {"cursor": cursor})}
        page = (await acme.get("/v1/payments", params=parameters)).json()
        seen += [payment["id"] for payment in page["data"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert pages == 3
    by_age = ([6], [3, 4, 5], [0, 1, 2])
    ties = [sorted((store(f"p{n}").id for n in group), reverse=True) for group in by_age]
    assert seen == [payment_id for group in ties for payment_id in group]


async def test_a_last_page_that_is_full_is_the_last(store: Store, acme: httpx.AsyncClient) -> None:
    """Exactly as many payments as the limit: no cursor to an empty page."""
    for number in range(2):
        store(f"p{number}").version("CREATED", f"cmd_{number}")
    page = (await acme.get("/v1/payments", params={"limit": "2"})).json()
    assert (len(page["data"]), page["next_cursor"]) == (2, None)


async def test_a_page_can_be_of_one_status(store: Store, acme: httpx.AsyncClient) -> None:
    """``status`` leaves out all others."""
    store("a").version("CREATED", "cmd_a")
    done = store("b")
    done.version("CREATED", "cmd_b")
    snapshot = done.version("SUCCEEDED", "evt_b")
    page = (await acme.get("/v1/payments", params={"status": "SUCCEEDED"})).json()
    assert page == {"data": [{**snapshot, "quarantined": False}], "next_cursor": None}


async def test_no_payments_are_an_empty_page(acme: httpx.AsyncClient) -> None:
    """A tenant without payments has a page without payments."""
    assert (await acme.get("/v1/payments")).json() == {"data": [], "next_cursor": None}


async def test_the_timeline_tells_everything(
    store: Store, acme: httpx.AsyncClient, run: str
) -> None:
    """All inputs in the order they were recorded; transitions, calls, the quarantine."""
    payment = store("a")
    payment.version("CREATED", f"cmd-{run}")
    payment.version("CREATED", f"res-{run}")
    payment.version("SUCCEEDED", f"evt-{run}")
    whose = {"tenant": payment.tenant, "operation_id": "op_1", "topic": "payment-commands"}
    payment.inbox(f"cmd-{run}", 0, kind="create", version=1, **whose)
    payment.inbox(f"res-{run}", 1, kind="create.result", version=2, topic="provider-results")
    payment.inbox(f"evt-{run}", 2, version=3)
    payment.duplicate(f"evt-{run}", 3)
    payment.inbox(f"old-{run}", 4, outcome="stale")
    payment.inbox(f"theirs-{run}", 5, tenant=f"globex-{run}")
    payment.duplicate(f"theirs-{run}", 6)
    payment.call("create", state="done", outcome="acknowledged", done_at=NOW, attempts=2)
    payment.call("refund", last_error="time-out", created_at=NOW + timedelta(seconds=1))
    payment.quarantine(f"old-{run}", "KeyError: 'private'")

    answer = await acme.get(f"/v1/payments/{payment.id}/timeline")
    timeline = Timeline.model_validate(answer.json())
    assert (timeline.payment_id, timeline.status, timeline.version) == (payment.id, "SUCCEEDED", 3)
    listed = [
        (
            entry.event_id.split("-")[0],
            entry.outcome,
            None
            if entry.transition is None
            else (entry.transition.source, entry.transition.target),
        )
        for entry in timeline.entries
    ]
    assert listed == [
        ("cmd", "applied", (None, "CREATED")),
        ("res", "applied", None),
        ("evt", "applied", ("CREATED", "SUCCEEDED")),
        ("evt", "duplicate", None),
        ("old", "stale", None),
    ]
    repeat = timeline.entries[3]
    assert (repeat.kind, repeat.offset, repeat.version) == ("payment_intent.succeeded", 3, None)
    assert [(c.operation, c.state, c.outcome, c.attempts) for c in timeline.calls] == [
        ("create", "done", "acknowledged", 2),
        ("refund", "due", None, 0),
    ]
    assert [c.next_attempt_at for c in timeline.calls] == [None, NOW]
    assert timeline.quarantine is not None
    assert f"old-{run}" in timeline.quarantine
    assert "private" not in answer.text


async def test_a_retry_through_another_replica_is_seen(
    store: Store, acme: httpx.AsyncClient, log: Log
) -> None:
    """What this process doesn't remember, Postgres does: the same body is a replay, not sent."""
    payment = store("k")
    operation_id = identity.operation_id(payment.tenant, payment.id, "cancel", "c")
    event_id = identity.command_event_id(operation_id, identity.fingerprint({}))
    payment.inbox(event_id, 1, tenant=payment.tenant, operation_id=operation_id)
    replay = await acme.post(f"/v1/payments/{payment.id}/cancel", json={}, headers=keyed("c"))
    assert (replay.status_code, replay.headers["idempotent-replayed"]) == (202, "true")
    assert replay.json()["event_id"] == event_id
    assert log.records == []


async def test_another_body_through_another_replica_is_refused(
    store: Store, acme: httpx.AsyncClient, log: Log
) -> None:
    """The first body recorded owns the key, though the second was recorded as well."""
    payment = store("k")
    operation_id = identity.operation_id(payment.tenant, payment.id, "refund", "r")
    for offset, amount in enumerate((1, 2)):
        fingerprint = identity.fingerprint({"amount": amount})
        event_id = identity.command_event_id(operation_id, fingerprint)
        payment.inbox(event_id, offset, tenant=payment.tenant, operation_id=operation_id)
    path = f"/v1/payments/{payment.id}/refunds"
    second = await acme.post(path, json={"amount": 2}, headers=keyed("r"))
    assert_problem(second, 422, "idempotency-key-reused")
    assert (await acme.post(path, json={"amount": 1}, headers=keyed("r"))).status_code == 202
    assert log.records == []


async def test_a_replay_from_the_store_has_the_first_times(
    store: Store, acme: httpx.AsyncClient
) -> None:
    """The same 202 as the first, whichever replica gave it: it expires when it said it would."""
    payment = store("k")
    operation_id = identity.operation_id(payment.tenant, payment.id, "create", "k")
    body = CreateRequest.model_validate(PAYMENT).model_dump(mode="json", exclude_none=True)
    event_id = identity.command_event_id(operation_id, identity.fingerprint(body))
    whose = {"tenant": payment.tenant, "operation_id": operation_id}
    payment.inbox(event_id, 0, received_at=NOW - timedelta(minutes=30), **whose)
    answer = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    assert answer.headers["idempotent-replayed"] == "true"
    assert answer.json()["expires_at"] == "2026-03-01T12:30:00Z"


async def test_a_slow_database_keeps_nobody_waiting(
    connection: Connection[Any], acme: httpx.AsyncClient, metrics: Metrics
) -> None:
    """A look-up past its deadline is skipped and counted, and the command is accepted."""
    with connection.transaction():
        connection.execute("lock table inbox in access exclusive mode")
        answer = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
        assert answer.status_code == 202
        assert answer.elapsed < timedelta(seconds=2)
    assert b"payments_ingress_lookups_skipped_total 1.0" in metrics.exposition()
