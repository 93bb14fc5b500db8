"""Amounts that change at the provider, that are nothing, and that were lost on the way."""

from typing import Any

import pytest

from tests.cases.stripe_events import event, intent, refund
from tests.cases.world import AUTHORIZED, World, eventually

pytestmark = pytest.mark.anyio


async def test_an_authorization_that_is_raised_elsewhere_is_taken_in(world: World) -> None:
    """All of it can be captured and refunded.

    Source: https://docs.stripe.com/payments/incremental-authorization .
    """
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    object_id = payment["provider_object_id"]
    await world.stripe(
        "POST", f"/v1/payment_intents/{object_id}/increment_authorization", amount=1500
    )
    raised = await world.when(payment["id"], lambda p: bool(p["amounts"]["authorized"] == 1500))
    assert (raised["amount"], raised["status"]) == (1000, "AUTHORIZED")
    await world.client.post(f"/v1/payments/{payment['id']}/capture", {"amount": "all"})
    paid = await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    assert paid["amounts"] == {"authorized": 1500, "captured": 1500, "refunded": 0}
    assert paid["amount"] == 1000
    await world.client.post(f"/v1/payments/{payment['id']}/refunds", {"amount": "all"})
    back = await world.when(payment["id"], lambda p: bool(p["amounts"]["refunded"] == 1500))
    assert (await world.states(payment["id"]))[-1]["amounts"] == back["amounts"]


async def test_more_than_is_authorized_may_be_captured_elsewhere(world: World) -> None:
    """The money is shown, and can be refunded. Source: docs.stripe.com/payments/overcapture ."""
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    await world.simulator.post(
        f"/payment_intents/{payment['provider_object_id']}/capture", {"amount": 1200}
    )
    paid = await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    assert paid["amounts"] == {"authorized": 1200, "captured": 1200, "refunded": 0}
    await world.client.post(f"/v1/payments/{payment['id']}/refunds", {"amount": 1100})
    await world.when(payment["id"], lambda p: bool(p["amounts"]["refunded"] == 1100))


@pytest.mark.parametrize("changes", [{"amount": 1500, "amount_received": 1500},
                                     {"amount_received": 1200}])  # fmt: skip
async def test_no_success_of_another_amount_stays_a_conflict(
    world: World, changes: dict[str, Any]
) -> None:
    """In whatever order it and the raised authorization arrive."""
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    captured = changes["amount_received"]
    done = event("payment_intent.succeeded", intent(payment, "succeeded", **changes), at_s=9)
    held = intent(payment, "requires_capture", amount=1500, amount_capturable=1500)
    late = event("payment_intent.amount_capturable_updated", held, at_s=5)
    for sent in (done, late):
        await world.send(sent)
    assert (await world.entry(payment["id"], done["id"]))["outcome"] == "applied"
    assert (await world.entry(payment["id"], late["id"]))["outcome"] == "stale"
    found = await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    assert found["amounts"] == {
        "authorized": changes.get("amount", captured), "captured": captured, "refunded": 0
    }  # fmt: skip


async def test_a_refund_of_zero_holds_nobody_up(world: World) -> None:
    """It is shown, and the next refund is taken in."""
    payment = await world.create()
    nothing = event("refund.created", refund(payment, 0), at_s=1)
    something = event("refund.created", refund(payment, 100), at_s=2)
    for sent in (nothing, something):
        await world.send(sent)
        assert (await world.entry(payment["id"], sent["id"]))["outcome"] == "applied"
    found = await world.when(payment["id"], lambda p: bool(p["amounts"]["refunded"] == 100))
    assert sorted(each["amount"] for each in found["refunds"]) == [0, 100]
    assert found["quarantined"] is False
    rows = await world.rows("select amount from refunds where payment_id = %s", payment["id"])
    assert sorted(rows) == [(0,), (100,)]


async def test_a_success_that_lost_its_amount_is_a_dead_letter_and_never_zero(
    world: World,
) -> None:
    """It does not use up its event ID: the same event with its amount is applied."""
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    whole = event("payment_intent.succeeded", intent(payment, "succeeded"), at_s=5)
    lost = {**whole, "data": {"object": dict(whole["data"]["object"])}}
    del lost["data"]["object"]["amount_received"]
    await world.send(lost)

    async def is_dead() -> bool | None:
        dead = await world.dead_letters()
        return True if any(each.event_id == whole["id"] for each in dead) else None

    assert await eventually("it is a dead letter", is_dead)
    assert (await world.client.get(f"/v1/payments/{payment['id']}"))["status"] == "AUTHORIZED"
    await world.send(whole)
    paid = await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    assert paid["amounts"]["captured"] == 1000


@pytest.mark.parametrize("operation", ["capture", "refunds"])
@pytest.mark.parametrize("body", [{}, {"amount": None}, {"amount": "everything"}])
async def test_a_body_without_its_amount_moves_nothing(
    world: World, operation: str, body: dict[str, Any]
) -> None:
    """The 422 says both forms that there are."""
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    response = await world.client.try_post(f"/v1/payments/{payment['id']}/{operation}", body)
    assert response.status_code == 422
    (problem,) = response.json()["errors"]
    assert problem["field"] == "amount"
    assert '"all"' in problem["problem"]
    assert "500" in problem["problem"]
