"""Reads from a real Postgres: a tenant's own payments as published, and their history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg import Connection

from ingress.database import Database
from ingress.metrics import Metrics
from postgres import payment_list, reads, timeline
from postgres.payment_list import Filters, Page
from schemas import identity
from schemas.http import CreateRequest, Timeline
from tests.ingress.harness import (
    NOW,
    PAYMENT,
    Log,
    assert_problem,
    keyed,
)
from tests.ingress.store import Store

pytestmark = pytest.mark.anyio


async def test_a_payment_is_its_last_version(store: Store, acme: httpx.AsyncClient) -> None:
    """The response is the current version's published snapshot, marked as not quarantined."""
    payment = store("a")
    payment.version("CREATED", "cmd_1")
    last = payment.version("SUCCEEDED", "evt_1")
    response = await acme.get(f"/v1/payments/{payment.id}")
    assert (response.status_code, response.json()) == (200, {**last, "quarantined": False})
    assert response.headers["content-type"] == "application/json"


async def test_a_payment_that_the_client_has_is_304(store: Store, acme: httpx.AsyncClient) -> None:
    """Its tag is its version, and another one while it is quarantined."""
    payment = store("a")
    payment.version("CREATED", "cmd_1")
    payment.version("SUCCEEDED", "evt_1")
    url = f"/v1/payments/{payment.id}"
    assert (await acme.get(url)).headers["etag"] == '"2"'
    for known in ('"2"', 'W/"2"', '"1", "2"', "*"):
        same = await acme.get(url, headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", '"2"')
    for known in ('"1"', "2", '"22"', ""):
        assert (await acme.get(url, headers={"If-None-Match": known})).status_code == 200
    payment.quarantine("evt_2", "KeyError")
    other = await acme.get(url, headers={"If-None-Match": '"2"'})
    assert (other.status_code, other.headers["etag"]) == (200, '"2-quarantined"')


async def test_a_quarantined_payment_is_marked_in_every_read(
    store: Store, acme: httpx.AsyncClient
) -> None:
    """The payment, the page and the timeline mark it, without the text of the error."""
    healthy, bad = store("healthy"), store("bad", created_at=NOW - timedelta(seconds=1))
    healthy.version("CREATED", "cmd_1")
    shown = bad.version("CREATED", "cmd_2")
    bad.quarantine("evt_bad", "ZeroDivisionError: private")
    single = await acme.get(f"/v1/payments/{bad.id}")
    assert single.json() == {**shown, "quarantined": True}
    page = (await acme.get("/v1/payments")).json()
    marks = [(each["id"], each["quarantined"]) for each in page["data"]]
    assert marks == [(healthy.id, False), (bad.id, True)]
    history = await acme.get(f"/v1/payments/{bad.id}/timeline")
    assert history.json()["quarantined"] is True
    assert "evt_bad" in history.json()["quarantine"]
    assert "private" not in single.text + history.text
    other = await acme.get(f"/v1/payments/{healthy.id}/timeline")
    assert (other.json()["quarantined"], other.json()["quarantine"]) == (False, None)


async def test_a_payment_that_neither_store_nor_log_has_is_404(
    acme: httpx.AsyncClient, run: str
) -> None:
    """The ID is valid for this tenant, but no create names it."""
    payment_id = identity.payment_id(f"acme-{run}", "never sent")
    for path in ("", "/timeline", "/client-secret"):
        response = await acme.get(f"/v1/payments/{payment_id}{path}")
        assert_problem(response, 404, "unknown-payment")


async def test_rows_are_filtered_by_tenant_too(store: Store, database: Database, run: str) -> None:
    """The SQL filters by tenant in addition to the check characters of the ID."""
    payment = store("a")
    payment.version("CREATED", "cmd_1")
    other = f"globex-{run}"
    assert await database.run(lambda c: reads.snapshot(c, payment.id, other), 5) is None
    assert await database.run(lambda c: timeline.page(c, payment.id, other, None, 9), 5) is None
    page = await database.run(lambda c: payment_list.page(c, other, Filters(), None, 9), 5)
    assert page == Page([], None)


async def test_pages_contain_every_payment_once(store: Store, acme: httpx.AsyncClient) -> None:
    """The newest are first, ties are sorted by ID, and no payment is missing or repeated."""
    for number in range(7):
        # three creation times for seven payments: most of them tie
        store(f"p{number}", created_at=NOW + timedelta(seconds=number // 3)).version(
            "CREATED", f"cmd_{number}"
        )
    store("other", "globex").version("CREATED", "cmd_x")
    listed: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor is not None:
        parameters = {"limit": "3", **({} if cursor is None else {"cursor": cursor})}
        page = (await acme.get("/v1/payments", params=parameters)).json()
        listed += [payment["id"] for payment in page["data"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert pages == 3
    by_age = ([6], [3, 4, 5], [0, 1, 2])
    ties = [sorted((store(f"p{n}").id for n in group), reverse=True) for group in by_age]
    assert listed == [payment_id for group in ties for payment_id in group]


async def test_pages_of_several_statuses_contain_every_payment_once(
    store: Store, acme: httpx.AsyncClient
) -> None:
    """Each status is read on its own, and payments of the same time are in all of them."""
    payments = [store(f"p{number}") for number in range(12)]
    for number, payment in enumerate(payments):
        payment.version("CREATED", f"cmd_{number}")
        if number % 3:
            payment.version(("SUCCEEDED", "CANCELED")[number % 2], f"evt_{number}")
    listed: list[str] = []
    parameters = {"limit": "2"}
    while len(listed) < len(payments):
        page = (await acme.get("/v1/payments", params=parameters)).json()
        listed += [payment["id"] for payment in page["data"]]
        parameters["cursor"] = page["next_cursor"] or ""
    assert listed == sorted((payment.id for payment in payments), reverse=True)
    assert parameters["cursor"] == ""


async def test_a_full_last_page_has_no_cursor(store: Store, acme: httpx.AsyncClient) -> None:
    """With exactly as many payments as the limit, no empty page follows."""
    for number in range(2):
        store(f"p{number}").version("CREATED", f"cmd_{number}")
    page = (await acme.get("/v1/payments", params={"limit": "2"})).json()
    assert (len(page["data"]), page["next_cursor"]) == (2, None)


async def test_a_page_can_be_filtered_by_status(store: Store, acme: httpx.AsyncClient) -> None:
    """``status`` excludes payments with other statuses."""
    store("a").version("CREATED", "cmd_a")
    done = store("b")
    done.version("CREATED", "cmd_b")
    snapshot = done.version("SUCCEEDED", "evt_b")
    page = (await acme.get("/v1/payments", params={"status": "SUCCEEDED"})).json()
    assert page == {"data": [{**snapshot, "quarantined": False}], "next_cursor": None}


async def test_no_payments_are_an_empty_page(acme: httpx.AsyncClient) -> None:
    """A tenant without payments gets an empty page."""
    assert (await acme.get("/v1/payments")).json() == {"data": [], "next_cursor": None}


async def test_the_timeline_is_complete(store: Store, acme: httpx.AsyncClient, run: str) -> None:
    """It has all inputs in the order they were recorded, transitions, calls and the quarantine."""
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
    payment.inbox(f"other-{run}", 5, tenant=f"globex-{run}")
    payment.duplicate(f"other-{run}", 6)
    payment.call("create", state="done", outcome="acknowledged", done_at=NOW, attempts=2)
    payment.call("refund", last_error="time-out", created_at=NOW + timedelta(seconds=1))
    payment.quarantine(f"old-{run}", "KeyError: 'private'")

    response = await acme.get(f"/v1/payments/{payment.id}/timeline")
    found = Timeline.model_validate(response.json())
    assert (found.payment_id, found.status, found.version) == (payment.id, "SUCCEEDED", 3)
    assert found.next_cursor is None
    listed = [
        (
            entry.event_id.split("-")[0],
            entry.outcome,
            None
            if entry.transition is None
            else (entry.transition.source, entry.transition.target),
        )
        for entry in found.entries
    ]
    assert listed == [
        ("cmd", "applied", (None, "CREATED")),
        ("res", "applied", None),
        ("evt", "applied", ("CREATED", "SUCCEEDED")),
        ("evt", "duplicate", None),
        ("old", "stale", None),
    ]
    repeat = found.entries[3]
    assert (repeat.kind, repeat.offset, repeat.version) == ("payment_intent.succeeded", 3, None)
    assert [(c.operation, c.state, c.outcome, c.attempts) for c in found.calls] == [
        ("create", "done", "acknowledged", 2),
        ("refund", "due", None, 0),
    ]
    assert [c.next_attempt_at for c in found.calls] == [None, NOW]
    assert found.quarantine is not None
    assert f"old-{run}" in found.quarantine
    assert "private" not in response.text


async def test_a_call_that_a_worker_makes_is_in_flight(
    store: Store, acme: httpx.AsyncClient
) -> None:
    """It looks like none that is tried again in a minute, nor one whose worker has died."""
    payment, later = store("a"), datetime.now(UTC) + timedelta(minutes=1)
    payment.version("CREATED", "cmd_1")
    rows: dict[str, dict[str, Any]] = {
        "create": {"attempts": 1, "next_attempt_at": later},
        "confirm": {"attempts": 1, "next_attempt_at": later, "last_error": "busy"},
        "capture": {"attempts": 1, "next_attempt_at": NOW},
        "cancel": {"next_attempt_at": later},
    }
    for second, (name, columns) in enumerate(rows.items()):
        payment.call(name, created_at=NOW + timedelta(seconds=second), **columns)
    found = (await acme.get(f"/v1/payments/{payment.id}/timeline")).json()["calls"]
    assert [(c["operation"], c["state"], c["next_attempt_at"] is None) for c in found] == [
        ("create", "in_flight", True),
        ("confirm", "due", False),
        ("capture", "due", False),
        ("cancel", "due", False),
    ]


async def test_a_retry_through_another_replica_is_a_replay(
    store: Store, acme: httpx.AsyncClient, log: Log
) -> None:
    """Postgres has the operation that this process doesn't know; nothing is published."""
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
    """The key belongs to the first recorded body, although the second was recorded too."""
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
    """Every replica responds with the first 202, including the time of expiry."""
    payment = store("k")
    operation_id = identity.operation_id(payment.tenant, payment.id, "create", "k")
    body = CreateRequest.model_validate(PAYMENT).model_dump(mode="json", exclude_none=True)
    event_id = identity.command_event_id(operation_id, identity.fingerprint(body))
    whose = {"tenant": payment.tenant, "operation_id": operation_id}
    payment.inbox(event_id, 0, received_at=NOW - timedelta(minutes=30), **whose)
    response = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    assert response.headers["idempotent-replayed"] == "true"
    assert response.json()["expires_at"] == "2026-03-01T12:30:00Z"


async def test_a_slow_database_does_not_delay_commands(
    connection: Connection[Any], acme: httpx.AsyncClient, metrics: Metrics
) -> None:
    """A look-up past its deadline is skipped and counted, and the command is accepted."""
    with connection.transaction():
        connection.execute("lock table inbox in access exclusive mode")
        response = await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
        assert response.status_code == 202
        assert response.elapsed < timedelta(seconds=2)
    assert b"payments_ingress_lookups_skipped_total 1.0" in metrics.exposition()
