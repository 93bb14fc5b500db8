"""Endpoints of any API version: what is reported otherwise is the same payment in the end.

Sources: the pages in ``providers/stripe/versions.py``.
"""

import time
from typing import Final

import pytest

from sandbox.client import Json
from tests.cases.stripe_events import charge, event, intent, new_id, refund
from tests.cases.world import World

pytestmark = pytest.mark.anyio

MANUAL: Final[Json] = {"capture_method": "manual"}
#: The last version in which a release is a refund, and refunds have events of their own.
ACACIA: Final = "2025-02-24.acacia"


async def _payment(world: World, payment: Json) -> Json:
    found: Json = await world.client.get(f"/v1/payments/{payment['id']}")
    return found


async def _amounts(world: World, payment: Json) -> tuple[int, int]:
    now = await _payment(world, payment)
    return now["amounts"]["captured"], now["amounts"]["refunded"]


async def _taken_in(world: World, payment: Json, *events: Json) -> str:
    """Sends the events and returns the last one's outcome."""
    for each in events:
        await world.send(each)
    outcome: str = (await world.entry(payment["id"], events[-1]["id"]))["outcome"]
    return outcome


@pytest.mark.parametrize("version", ["2014-12-08", "2016-07-06", "2017-04-06"])
async def test_an_event_names_its_request_by_id_alone(world: World, version: str) -> None:
    """Before 2017-05-25, ``request`` was a string."""
    payment = await world.create("AUTHORIZED", **MANUAL)
    about = intent(payment, "succeeded")
    succeeded = event("payment_intent.succeeded", about, api_version=version, request="req_1")
    assert await _taken_in(world, payment, succeeded) == "applied"
    assert await _amounts(world, payment) == (payment["amount"], 0)


@pytest.mark.parametrize("version", ["2020-08-27", "2022-11-15", "2024-09-30.acacia"])
@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_charge_alone_reports_a_refund(
    world: World, version: str, *, is_listed: bool
) -> None:
    """Before 2024-10-28; a charge lists its refunds before 2022-11-15, or when it is expanded."""
    payment = await world.create()
    listed: Json = {"object": "list", "data": [refund(payment, 400)], "has_more": False}
    about = charge(payment, amount_refunded=400, **({"refunds": listed} if is_listed else {}))
    refunded = event("charge.refunded", about, at_s=5, api_version=version)
    assert await _taken_in(world, payment, refunded) == "applied"
    assert await _amounts(world, payment) == (payment["amount"], 400)
    (shown,) = (await _payment(world, payment))["refunds"]
    assert (shown["status"], shown["amount"]) == ("SUCCEEDED", 400)
    again = event("charge.refunded", about, at_s=6, api_version=version)
    await _taken_in(world, payment, again)
    assert await _amounts(world, payment) == (payment["amount"], 400)


@pytest.mark.parametrize("in_turn", [True, False])
async def test_what_a_capture_lets_go_is_no_refund(world: World, *, in_turn: bool) -> None:
    """1000 authorized, 700 captured in the Dashboard: 700 can still be refunded."""
    payment = await world.create("AUTHORIZED", amount=1000, **MANUAL)
    path = f"/v1/payment_intents/{payment['provider_object_id']}/capture"
    release = refund(payment, 300, created=int(time.time()))
    made = event("refund.created", release, at_s=1, api_version=ACACIA)
    if not in_turn:
        await _taken_in(world, payment, made)
    await world.stripe("POST", path, amount_to_capture=700)
    await world.when(payment["id"], lambda found: found["status"] == "SUCCEEDED")
    about = charge(payment, amount_captured=700, amount_refunded=300)
    updated = event("charge.refund.updated", release, at_s=2, api_version=ACACIA)
    await _taken_in(world, payment, event("charge.refunded", about, api_version=ACACIA), updated)
    if in_turn:
        await _taken_in(world, payment, made)
    assert await _amounts(world, payment) == (700, 0)
    assert (await _payment(world, payment))["refunds"] == []


async def test_a_cancelled_payment_shows_no_refund(world: World) -> None:
    """The whole authorization was let go, and is reported as a refund."""
    payment = await world.create("AUTHORIZED", **MANUAL)
    release = refund(payment, payment["amount"], created=int(time.time()))
    await world.stripe("POST", f"/v1/payment_intents/{payment['provider_object_id']}/cancel")
    await world.when(payment["id"], lambda found: found["status"] == "CANCELED")
    await _taken_in(world, payment, event("refund.created", release, api_version=ACACIA))
    now = await _payment(world, payment)
    assert (now["refunds"], now["amounts"]["refunded"]) == ([], 0)


@pytest.mark.parametrize("version", ["2011-01-01", "2014-11-20", "2031-01-01.zephyr", "soon"])
async def test_an_event_of_an_unknown_version_is_ignored_and_leaves_its_id(
    world: World, version: str
) -> None:
    """Another endpoint delivers the same event in a form that is read."""
    payment = await world.create("AUTHORIZED", **MANUAL)
    event_id, about = new_id("evt"), intent(payment, "succeeded")
    unread = event("payment_intent.succeeded", about, api_version=version, id=event_id)
    read = event("payment_intent.succeeded", about, id=event_id)
    await world.send(unread)
    await world.send(read)
    found = await world.when(payment["id"], lambda found: found["status"] == "SUCCEEDED")
    assert found["amounts"]["captured"] == payment["amount"]
    entries = (await world.client.timeline(payment["id"]))["entries"]
    (ignored,) = [e for e in entries if e["event_id"].startswith(f"{event_id}@")]
    assert ignored["outcome"] == "ignored"
    assert version in ignored["reason"]


@pytest.mark.parametrize("key", [None, "somebody"])
async def test_a_cancel_by_somebody_else_is_no_failure(world: World, key: str | None) -> None:
    """Whatever reason it has: our own call decides."""
    payment = await world.create("AUTHORIZED", **MANUAL)
    about = intent(payment, "canceled", cancellation_reason="abandoned")
    await _taken_in(world, payment, event("payment_intent.canceled", about, caused_by=key))
    assert (await _payment(world, payment))["status"] == "CANCELED"


async def test_a_cancel_that_names_no_key_waits_for_our_own_calls_answer(world: World) -> None:
    """The card was declined and no attempt is left, so our own call cancels."""
    payment = await world.create("FAILED", payment_method="pm_card_chargeDeclined")
    about = intent(payment, "canceled", cancellation_reason="abandoned")
    unnamed = event("payment_intent.canceled", about, api_version="2016-07-06", request="req_1")
    assert await _taken_in(world, payment, unnamed) in {"applied", "stale"}
    assert (await _payment(world, payment))["status"] == "FAILED"
