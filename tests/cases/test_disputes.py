"""Disputes as banks and Stripe report them: in other currencies, corrected, appealed, and back.

Sources: https://docs.stripe.com/api/disputes/object , https://docs.stripe.com/disputes/how-disputes-work
and https://docs.stripe.com/changelog/endive/2026-10-28/evidence-submission-appeal-dispute-decisions
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from sandbox.client import Json
from tests.cases.stripe_events import dispute, event, fraud_warning, movement
from tests.cases.world import World

pytestmark = pytest.mark.anyio

CLOSING: Final = ("won", "lost", "warning_closed", "prevented")


def _kind(number: int, status: str) -> str:
    if number == 0:
        return "charge.dispute.created"
    return f"charge.dispute.{'closed' if status in CLOSING else 'updated'}"


async def _reported(world: World, payment: Json, events: Sequence[Json]) -> Json:
    """The payment's only dispute, once every event is decided."""
    for each in events:
        await world.send(each)
    outcomes = [(await world.entry(payment["id"], e["id"]))["outcome"] for e in events]
    assert set(outcomes) <= {"applied", "stale"}, outcomes
    (found,) = (await world.client.get(f"/v1/payments/{payment['id']}"))["disputes"]
    return dict(found)


async def test_money_is_withdrawn_in_the_settlement_currency(world: World) -> None:
    """10000 JPY were paid, and a balance in USD loses 66.80 USD: 6680 is not an amount of yen."""
    paid = await world.create(amount=10_000, currency="JPY")
    moved = movement(-6680, "usd", exchange_rate=0.00668, fee=1500, net=-8180)
    created = event("charge.dispute.created", dispute(paid, moved=(moved,)), at_s=1)
    found = await _reported(world, paid, [created])
    assert (found["amount"], found["currency"]) == (10_000, "JPY")
    assert found["funds"] == [
        {"currency": "USD", "withdrawn": 6680, "reinstated": 0, "adjusted": 0}
    ]
    (row,) = await world.rows(
        "select currency, funds from disputes where payment_id = %s", paid["id"]
    )
    assert row == ("JPY", found["funds"])
    assert (await world.states(paid["id"]))[-1]["disputes"] == [found]


async def test_a_correction_is_not_a_reinstatement(world: World) -> None:
    """The exchange rate of a lost dispute is corrected; nothing came back."""
    paid = await world.create()
    out = movement(-1089, "usd")
    corrected = movement(12, "usd", reporting_category="other_adjustment")
    about = dispute(paid, "lost", moved=(out, corrected))
    found = await _reported(world, paid, [event("charge.dispute.closed", about)])
    assert found["status"] == "LOST"
    assert found["funds"] == [
        {"currency": "USD", "withdrawn": 1089, "reinstated": 0, "adjusted": 12}
    ]


async def test_a_dispute_in_another_currency_is_shown(world: World) -> None:
    """It used to be a conflict: nobody saw the dispute, and its deadline passed."""
    paid = await world.create()
    about = dispute(paid, amount=1089, currency="usd", moved=(movement(-1089, "usd"),))
    found = await _reported(world, paid, [event("charge.dispute.created", about)])
    assert (found["status"], found["amount"], found["currency"]) == ("NEEDS_RESPONSE", 1089, "USD")


#: The statuses in their order, with the expected one and whether it is an appeal's.
COURSES: Final[Mapping[str, tuple[Sequence[str], tuple[str, bool]]]] = {
    "an appeal after the review": (
        ("needs_response", "under_review", "appeal_needs_response"), ("NEEDS_RESPONSE", True),
    ),
    "an appeal after the loss": (
        ("needs_response", "under_review", "lost", "appeal_needs_response"),
        ("NEEDS_RESPONSE", True),
    ),
    "an appeal after the win": (
        ("needs_response", "under_review", "won", "appeal_needs_response"),
        ("NEEDS_RESPONSE", True),
    ),
    "an appeal under review": (
        ("needs_response", "lost", "appeal_needs_response", "appeal_under_review"),
        ("UNDER_REVIEW", True),
    ),
    "an appeal that is won": (
        ("needs_response", "lost", "appeal_needs_response", "appeal_under_review", "won"),
        ("WON", False),
    ),
    "an appeal that is lost": (
        ("needs_response", "lost", "appeal_needs_response", "appeal_under_review", "lost"),
        ("LOST", False),
    ),
    "a closed inquiry becomes a chargeback": (
        ("warning_needs_response", "warning_closed", "needs_response"), ("NEEDS_RESPONSE", False),
    ),
    "an inquiry is closed": (
        ("warning_needs_response", "warning_under_review", "warning_closed"),
        ("WARNING_CLOSED", False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("course", COURSES)
async def test_a_dispute_ends_the_same_in_any_order(
    world: World, course: str, *, backwards: bool
) -> None:
    """The deadline is shown while a response is needed, and then only."""
    paid, (statuses, expected) = await world.create(), COURSES[course]
    about, began = dispute(paid), int(time.time())
    events = [
        event(
            _kind(number, status),
            {**about, "status": status, "evidence_details": _due(began + 1000 * number)},
            at_s=100 * number,
        )
        for number, status in enumerate(statuses)
    ]
    found = await _reported(world, paid, events[::-1] if backwards else events)
    assert (found["status"], found["appeal"]) == expected
    assert (found["respond_by"] is not None) is found["status"].endswith("NEEDS_RESPONSE")


def _due(at: int) -> Json:
    return {"due_by": at, "has_evidence": False, "past_due": False, "submission_count": 0}


@pytest.mark.parametrize(
    ("status", "moved", "left"),
    [
        ("under_review", (("eur", -400),), 600),
        ("won", (("eur", -400), ("eur", 400)), 1000),
        ("under_review", (("usd", -1089),), 0),
        ("won", (("usd", -1089), ("usd", 1070)), 1000),
        ("lost", (("usd", -1089), ("usd", 330)), 0),
    ],
)
async def test_what_a_dispute_holds_is_not_refunded(
    world: World, status: str, moved: Sequence[tuple[str, int]], left: int
) -> None:
    """In another currency than the payment's, the whole disputed amount until it is won.

    One that is lost returns the part that had been refunded before, in the balance's currency.
    """
    paid = await world.create()
    movements = tuple(movement(amount, currency) for currency, amount in moved)
    about = dispute(paid, status, moved=movements)
    await _reported(world, paid, [event("charge.dispute.updated", about)])
    path = f"/v1/payments/{paid['id']}/refunds"
    asked = await world.client.post(path, {"amount": left + 1})
    entry = await world.entry(paid["id"], asked["event_id"])
    assert entry["outcome"] == "rejected"
    if left < 1000:
        assert "disputes have withdrawn" in entry["reason"]


async def test_a_fraud_warning_is_shown_until_it_is_dealt_with(world: World) -> None:
    """It names the payment intent; no money moved, and the payment stays what it is."""
    paid = await world.create()
    about = fraud_warning(paid)
    created = event("radar.early_fraud_warning.created", about, at_s=1)
    updated = event("radar.early_fraud_warning.updated", {**about, "actionable": False}, at_s=2)
    for each, actionable in ((created, True), (updated, False)):
        await world.send(each)
        assert (await world.entry(paid["id"], each["id"]))["outcome"] == "applied"
        now = await world.client.get(f"/v1/payments/{paid['id']}")
        (warning,) = now["fraud_warnings"]
        assert (warning["type"], warning["actionable"]) == ("misc", actionable)
        assert (now["status"], now["amounts"]) == (paid["status"], paid["amounts"])


async def test_a_charge_without_a_payment_intent_is_not_ours(world: World) -> None:
    """Its dispute and its warning are ignored, each with a reason."""
    paid = await world.create()
    for kind, about in (
        ("charge.dispute.created", dispute(paid, payment_intent=None)),
        ("radar.early_fraud_warning.created", fraud_warning(paid, payment_intent=None)),
    ):
        event_id = await world.send(event(kind, about))
        assert "no payment intent" in (await world.ignored(event_id))[1]
