"""A webhook in a form that is not read waits too, and hides no other rendering of its event."""

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from ports.records import ConsumedRecord
from postgres.stores import Pool
from processor.worker import router
from schemas import headers
from tests.support import database
from tests.support.builders import Clock
from tests.support.programs.folding import ONE
from tests.support.programs.routing import (
    MAX_AGE_S,
    UNREAD_ID,
    Routing,
    create_payments,
    ignored,
    unrouted,
    waiting,
)

pytestmark = pytest.mark.anyio


def reimagined(record: ConsumedRecord) -> ConsumedRecord:
    """The webhook with a status that nobody knows."""
    body = json.loads(record.value)
    body["data"]["object"]["status"] = "reimagined"
    return replace(record, value=json.dumps(body).encode())


def of_version(version: str) -> Callable[[ConsumedRecord], ConsumedRecord]:
    """A function that returns a webhook in this API version."""

    def rendered(record: ConsumedRecord) -> ConsumedRecord:
        body = json.loads(record.value) | {"api_version": version}
        return replace(record, value=json.dumps(body).encode())

    return rendered


async def test_a_webhook_with_an_unknown_status_waits(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """A later release may know its effect, so it is routed like any other.

    If no payment ever takes it, the reason says both.
    """
    await routing.router.route([reimagined(unrouted(ONE))])
    assert await waiting(pool) == [UNREAD_ID]
    assert await database.rows(pool, "select event_id from ignored_webhooks") == []
    clock.forward(2 * MAX_AGE_S)
    await routing.router.route_waiting()
    ((_, _, reason),) = await ignored(pool)
    assert reason == f"its status 'reimagined' is unknown; {router.NEVER_OURS}"


@pytest.mark.parametrize("unread", [reimagined, of_version("2014-01-31")])
@pytest.mark.parametrize("first", ["unread", "readable"])
async def test_two_renderings_of_one_event_both_wait(
    routing: Routing, pool: Pool, unread: Callable[[ConsumedRecord], ConsumedRecord], first: str
) -> None:
    """One that can't be read leaves the event's ID to the one that can: both reach the payment."""
    readable = unrouted(ONE)
    renderings = [unread(readable), readable]
    if first == "readable":
        renderings.reverse()
    for rendering in renderings:
        await routing.router.route([rendering])
        await routing.router.route([rendering])  # read again after a crash
    assert await waiting(pool) == ["evt_1", UNREAD_ID]
    await create_payments(pool, ONE)
    await routing.router.route_waiting()
    sent = {record.value: headers.as_text(record.headers) for record in routing.outbox.records}
    assert {value: named[headers.EVENT_ID] for value, named in sent.items()} == {
        rendering.value: "evt_1" for rendering in renderings
    }
    assert await waiting(pool) == []


async def test_what_can_be_read_only_now_goes_to_the_payment_whose_call_it_echoes(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """Nobody has seen whose call it echoes, so that payment has not refused it."""
    record = unrouted(ONE)
    echo = json.loads(record.value) | {"request": {"idempotency_key": f"{ONE}:capture:1"}}
    await routing.router.route([reimagined(record)])
    readable = "update unrouted set value = %s returning event_id"
    assert await database.rows(pool, readable, json.dumps(echo).encode()) == [(UNREAD_ID,)]
    clock.forward(2 * MAX_AGE_S)
    await routing.router.route_waiting()
    assert [sent.key for sent in routing.outbox.records] == [ONE.encode()]
    assert (await ignored(pool), await waiting(pool)) == ([], [])
