"""Every currency is the same money at the client and at Stripe, whatever units Stripe counts in.

Source: https://docs.stripe.com/currencies .
"""

from typing import Any, Final

import pytest

from sandbox.client import Json
from tests.cases.stripe_events import dispute, event, movement
from tests.cases.world import AUTHORIZED, BODY, World

pytestmark = pytest.mark.anyio

#: What the client means; its minor units by ISO 4217, and Stripe's units.
SAME: Final = [
    ("ISK", "5000 kronur", 5000, 500_000),
    ("UGX", "9000 shillings", 9000, 900_000),
    ("MGA", "5000.00 ariary", 500_000, 5000),
    ("JPY", "500 yen", 500, 500),
    ("KWD", "1.500 dinars", 1500, 1500),
    ("HUF", "175.00 forint", 17_500, 17_500),
    ("TWD", "10.50 dollars", 1050, 1050),
    ("IDR", "1234567890.00 rupiah", 123_456_789_000, 123_456_789_000),
    ("EUR", "10.00 euros", 1000, 1000),
]


async def _intent(world: World, payment: Json) -> Json:
    return await world.stripe("GET", f"/v1/payment_intents/{payment['provider_object_id']}")


@pytest.mark.parametrize(("currency", "meant", "ours", "theirs"), SAME, ids=[s[0] for s in SAME])
async def test_a_payment_is_the_same_money_on_both_sides(
    world: World, currency: str, meant: str, ours: int, theirs: int
) -> None:
    """Asked for, captured, refunded by the client and elsewhere, disputed."""
    assert meant
    payment = await world.create(amount=ours, currency=currency)
    assert (await _intent(world, payment))["amount"] == theirs
    assert payment["amounts"] == {"authorized": ours, "captured": ours, "refunded": 0}
    path = f"/v1/payments/{payment['id']}/refunds"
    half = ours // 2 if currency != "KWD" else 750 // 10 * 10
    accepted = await world.client.post(path, {"amount": half})
    refunded = await world.when(
        payment["id"], lambda p: bool(p["amounts"]["refunded"] == half), 60.0
    )
    assert [(r["id"], r["amount"]) for r in refunded["refunds"]] == [(accepted["refund_id"], half)]
    intent = payment["provider_object_id"]
    await world.simulator.post(f"/payment_intents/{intent}/refund")  # all that is left there
    done = await world.when(payment["id"], lambda p: bool(p["amounts"]["refunded"] == ours))
    assert sorted(r["amount"] for r in done["refunds"]) == sorted([half, ours - half])
    moved = movement(-theirs, currency.lower())
    await world.send(
        event("charge.dispute.created", dispute(done, amount=theirs, moved=(moved,)), at_s=5)
    )
    disputed = await world.when(payment["id"], lambda p: bool(p["disputes"]))
    assert disputed["disputes"][0]["amount"] == ours


@pytest.mark.parametrize(
    ("change", "field", "named"),
    [
        ({"currency": "XXQ"}, "currency", "ISO 4217"),
        ({"currency": "XAU"}, "currency", "ISO 4217"),
        ({"currency": "KPW"}, "currency", "docs.stripe.com/currencies"),
        ({"amount": 49}, "amount", "0.50 EUR"),
        ({"amount": 17_499, "currency": "HUF"}, "amount", "175.00 HUF"),
        ({"amount": 1501, "currency": "KWD"}, "amount", "multiple of 10"),
        ({"amount": 500_050, "currency": "MGA"}, "amount", "multiple of 100"),
        ({"amount": 10_000_000_000, "currency": "ISK"}, "amount", "9999999999"),
        ({"amount": 10**12}, "amount", "999999999999"),
    ],
)
async def test_an_impossible_payment_is_refused_at_once(
    world: World, change: Json, field: str, named: str
) -> None:
    """The 422 names the field and says the rule; no payment is made."""
    response = await world.client.try_post("/v1/payments", BODY | change)
    assert response.status_code == 422
    (problem,) = response.json()["errors"]
    assert problem["field"] == field
    assert named in problem["problem"]


async def test_a_capture_that_stripe_can_not_have_leaves_the_payment_authorized(
    world: World,
) -> None:
    """The payment says why, and another capture can be asked for."""
    payment = await world.create("AUTHORIZED", **AUTHORIZED, amount=2000, currency="KWD")
    path = f"/v1/payments/{payment['id']}/capture"
    await world.client.post(path, {"amount": 1501})
    refused = await world.when(payment["id"], lambda p: p["failure"] is not None)
    assert refused["status"] == "AUTHORIZED"
    assert refused["failure"]["code"] == "amount_impossible"
    assert "multiple of 10" in refused["failure"]["message"]
    await world.client.post(path, {"amount": 1500})
    paid = await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    assert paid["amounts"]["captured"] == 1500


async def test_a_refund_that_stripe_can_not_have_fails(world: World) -> None:
    """It says why, and reserves nothing."""
    payment = await world.create(amount=500_000, currency="MGA")
    path = f"/v1/payments/{payment['id']}/refunds"
    await world.client.post(path, {"amount": 150})
    failed = await world.when(payment["id"], _a_refund_is("FAILED"))
    assert "multiple of 100" in failed["refunds"][0]["failure"]["message"]
    await world.client.post(path, {"amount": "all"})
    refunded = await world.when(payment["id"], lambda p: bool(p["amounts"]["refunded"]))
    assert refunded["amounts"]["refunded"] == 500_000


def _a_refund_is(status: str) -> Any:
    return lambda p: any(each["status"] == status for each in p["refunds"])
