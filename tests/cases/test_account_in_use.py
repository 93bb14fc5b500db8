"""An account that others use too is the normal case: their events end as ignored, and small."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

import pytest

from domain.call_key import CallKey
from messaging.log_reader import records
from processor.worker.router import NEVER_OURS, NOT_OURS
from sandbox.client import Json
from schemas import headers, identity
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests.cases.stripe_events import dispute, event, intent, new_id, refund
from tests.cases.world import BODY, World, eventually

pytestmark = pytest.mark.anyio

#: Payments of others. ``FOREIGN_PAYMENTS=5000`` makes as many as a shop has in an afternoon.
FOREIGN_PAYMENTS: Final = int(os.environ.get("FOREIGN_PAYMENTS", "40"))
AT_ONCE: Final = 8
#: Before the versions that are read.
OLD: Final = "2013-12-03"
#: Not a whole krona, and Stripe counts ISK in hundredths.
_FRACTION: Final = {"amount": 55, "amount_received": 55, "currency": "isk"}


def _refund(payment: Json) -> Json:
    return refund(payment, 400)


def _paid(payment: Json) -> Json:
    return intent(payment, "succeeded", metadata={})


OBJECTS: Final = {
    "invoice.paid": {"object": "invoice", "id": "in_1"},
    "customer.created": {"object": "customer", "id": "cus_1"},
    "checkout.session.completed": {"object": "checkout.session", "id": "cs_1"},
}

#: Events that can't be read: their type, object, what is changed, and whether they have to wait.
FOREIGN_FORMS: Final[dict[str, tuple[str, Callable[[Json], Json], Json, bool]]] = {
    "a fraction refunded": ("refund.created", _refund, {"object": _FRACTION}, True),
    "an amount as text": ("refund.created", _refund, {"object": {"amount": "55"}}, True),
    "coins disputed": ("charge.dispute.created", dispute, {"object": {"currency": "usdc"}}, True),
    "a fraction paid": ("payment_intent.succeeded", _paid, {"object": _FRACTION}, False),
    "coins paid": ("payment_intent.succeeded", _paid, {"object": {"currency": "usdc"}}, False),
    "a status to come": ("payment_intent.created", _paid, {"object": {"status": "new"}}, False),
    "an old version": ("payment_intent.succeeded", _paid, {"event": {"api_version": OLD}}, False),
}


def _others() -> dict[str, Any]:
    """A payment of another application, as its events describe it."""
    return {
        "id": "order-77", "provider_object_id": new_id("pi"), "amount": 2500, "currency": "EUR",
        "capture_method": "automatic",
    }  # fmt: skip


async def test_a_payment_intent_of_others_is_ignored_at_once(world: World) -> None:
    """Nothing waits and no body is kept, whatever their metadata says."""
    payment = _others()
    for metadata in ({}, {"payment_id": "order-77"}, {"payment_id": "pay_short"}):
        about = intent(payment, "succeeded", metadata=metadata)
        event_id = await world.send(event("payment_intent.succeeded", about))
        kind, reason = await world.ignored(event_id)
        assert (kind, "is not ours" in reason) == ("payment_intent.succeeded", True)
    assert await world.rows("select 1 from unrouted where object_id = %s", about["id"]) == []


@pytest.mark.parametrize("kind", OBJECTS)
async def test_an_object_of_another_kind_is_ignored_at_once(world: World, kind: str) -> None:
    """Invoices, customers and the like are about no payment of ours."""
    event_id = await world.send(event(kind, OBJECTS[kind]))
    assert (await world.ignored(event_id))[0] == kind


async def test_a_refund_and_a_dispute_of_others_end_as_ignored(world: World) -> None:
    """They name only an object. They wait, because it may be one of ours, but not for ever."""
    payment = _others()
    sent = {
        "refund.created": event("refund.created", refund(payment, 400)),
        "charge.dispute.created": event("charge.dispute.created", dispute(payment)),
    }
    before = world.metric("worker", "payments_ignored_webhooks_total")
    for kind, each in sent.items():
        found = await world.ignored(await world.send(each))
        assert (found[0], "no payment of ours" in found[1]) == (kind, True)
    assert world.metric("worker", "payments_ignored_webhooks_total") >= before + len(sent)
    object_id = payment["provider_object_id"]
    assert await world.rows("select 1 from unrouted where object_id = %s", object_id) == []


@pytest.mark.parametrize("what", FOREIGN_FORMS)
async def test_a_form_that_ours_never_have_ends_as_ignored(world: World, what: str) -> None:
    """Others take fractions of a currency, and coins; a later version may have other types."""
    kind, make, changes, waits = FOREIGN_FORMS[what]
    before = len(await world.dead_letters())
    sent = event(kind, make(_others()) | changes.get("object", {}), **changes.get("event", {}))
    found, reason = await world.ignored(await world.send(sent))
    assert found == kind
    assert (NEVER_OURS if waits else NOT_OURS) in reason
    object_id = sent["data"]["object"].get("payment_intent") or sent["data"]["object"]["id"]
    assert await world.rows("select 1 from unrouted where object_id = %s", object_id) == []
    assert len(await world.dead_letters()) == before


async def test_an_event_of_another_environment_is_given_up(world: World) -> None:
    """It carries a valid payment ID that never comes. It ends as ignored, without its bytes."""
    theirs = {**_others(), "id": identity.payment_id("staging", new_id("order"))}
    sent = [
        await world.send(event(f"payment_intent.{name}", intent(theirs, status)))
        for name, status in (("created", "requires_confirmation"), ("succeeded", "succeeded"))
    ]

    async def given_up() -> list[Any] | None:
        rows = await world.rows(
            "select outcome, reason, value from inbox where event_id = any(%s)", sent
        )
        return rows if len(rows) == len(sent) and all(r[0] == "ignored" for r in rows) else None

    for _, reason, value in await eventually("the events are given up", given_up):
        assert (reason, value) == ("its payment never came", None)
    assert world.metric("worker", "payments_parked_expired_total") >= len(sent)


async def test_a_refund_before_its_payment_is_known_is_applied(world: World) -> None:
    """Waiting is what it is for: our call's answer is slower than somebody else's refund."""
    await world.simulator.faults(timeout_after=1.0, timeout_hold_s=2.0, drop=1.0)
    payment_id = await world.client.create(
        {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
    )
    object_id = await world.made_object(payment_id)
    theirs = {**_others(), "provider_object_id": object_id}
    await world.send(event("refund.created", refund(theirs, 400), at_s=5))
    await world.simulator.faults()
    await world.when(payment_id, lambda p: bool(p["amounts"]["refunded"] == 400))


@pytest.mark.parametrize("order", ["before the answer", "after it"])
@pytest.mark.parametrize("other", ["is here", "never comes"])
async def test_an_event_of_our_own_call_goes_to_its_payment(
    world: World, order: str, other: str
) -> None:
    """Whatever payment somebody wrote on the object: the key of the call proves more.

    Before the answer to our create call, the event is the only proof of whose object it is.
    """
    another = identity.payment_id("staging", new_id("order"))
    if other == "is here":
        another = (await world.create())["id"]
    if order == "before the answer":
        await world.simulator.faults(timeout_after=1.0, timeout_hold_s=2.0, drop=1.0)
    payment_id = await world.client.create(BODY)
    made: Json = BODY | {
        "id": another,
        "provider_object_id": await world.made_object(payment_id),
        "capture_method": "automatic",
    }
    if order == "after it":
        await world.when(payment_id, lambda p: p["provider_object_id"] is not None)
    key = str(CallKey.create(payment_id))
    about = intent(made, "succeeded")
    event_id = await world.send(event("payment_intent.succeeded", about, caused_by=key))
    entry = await world.entry(payment_id, event_id)
    assert entry["outcome"] in {"applied", "stale"}, entry
    await world.simulator.faults()
    await world.when(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
    seen = "select payment_id from inbox where event_id = %s or event_id like %s"
    assert await world.rows(seen, event_id, f"{event_id}@%") == [(payment_id,)]


async def test_many_payments_of_others_leave_no_dead_letter(world: World) -> None:
    """With refunds and disputes among them, by webhook and in the event list."""
    before = len(await world.dead_letters())
    slots = asyncio.Semaphore(AT_ONCE)

    async def pay(number: int) -> None:
        async with slots:
            made = await world.stripe(
                "POST", "/v1/payment_intents", amount=500 + number % 99, currency="eur",
                payment_method="pm_card_visa", confirm=True,
                allowed_payment_method_types=["card"], metadata={"order": f"A-{number}"},
            )  # fmt: skip
            if number % 10 == 0:
                await world.stripe("POST", "/v1/refunds", payment_intent=made["id"], amount=100)
            if number % 10 == 1:
                await world.simulator.post(f"/payment_intents/{made['id']}/dispute")

    await asyncio.gather(*map(pay, range(FOREIGN_PAYMENTS)))
    await world.settled()

    async def has_ended() -> bool | None:
        ((waiting,),) = await world.rows("select count(*) from unrouted")
        ((succeeded,),) = await world.rows(
            "select count(*) from ignored_webhooks where kind = 'payment_intent.succeeded'"
        )
        return (waiting == 0 and succeeded >= FOREIGN_PAYMENTS) or None

    await eventually("every event has ended", has_ended, within_s=60.0 + FOREIGN_PAYMENTS / 20)
    assert len(await world.dead_letters()) == before
    assert await _without_an_end(world) == set()


async def _without_an_end(world: World) -> set[str]:
    """The IDs of unrouted webhooks that are neither ignored, nor a payment's, nor dead letters."""
    bootstrap = world.stack.infrastructure.kafka_bootstrap
    came = {
        headers.as_text(record.headers)[headers.EVENT_ID]
        async for record in records(bootstrap, PROVIDER_WEBHOOKS_UNROUTED)
    }
    ended = await world.rows(
        "select event_id from ignored_webhooks union select event_id from inbox"
    )
    return (
        came
        - {event_id.partition("@")[0] for (event_id,) in ended}
        - {d.event_id for d in await world.dead_letters()}
    )
