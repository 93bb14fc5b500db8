"""A payment whose money is reserved: it waits for days, and others with the account's key end it.

What others do comes between our call and its answer here, because the proxy cuts our call off
until their event is taken in.
"""

import time
from typing import Final

import pytest

from sandbox.client import Json, SimulatorControl
from tests.cases.stripe_events import event, refund
from tests.cases.tampering import TamperingProxy
from tests.cases.world import AUTHORIZED, World, eventually

pytestmark = pytest.mark.anyio

#: The last API version in which letting go of an authorization is reported as a refund.
ACACIA: Final = "2025-02-24.acacia"
CAPTURED: Final = "stripe.payment_intent.succeeded"


def _capture_path(payment: Json) -> str:
    return f"/v1/payment_intents/{payment['provider_object_id']}/capture"


async def _decided(world: World, payment: Json, kind: str) -> Json:
    """The timeline's entry of this kind, once there is one that is decided."""

    async def entry() -> Json | None:
        timeline = await world.client.timeline(payment["id"])
        found = [e for e in timeline["entries"] if e["kind"] == kind]
        return found[0] if found and found[0]["outcome"] != "parked" else None

    return await eventually(f"{kind} is decided", entry)


async def _answered(world: World, payment: Json, operation: str) -> Json:
    """The payment's call for this operation, once it is done."""

    async def call() -> Json | None:
        timeline = await world.client.timeline(payment["id"])
        done = [c for c in timeline["calls"] if (c["operation"], c["state"]) == (operation, "done")]
        return done[0] if done else None

    return await eventually(f"the {operation} is answered", call)


async def _refunds_after(world: World, payment: Json) -> tuple[list[Json], int]:
    """The refunds and the refunded amount after a refund of the 300 that were not captured."""
    given = refund(payment, 300, created=int(time.time()))
    reported = event("refund.created", given, at_s=1, api_version=ACACIA)
    await world.send(reported)
    assert (await world.entry(payment["id"], reported["id"]))["outcome"] == "applied"
    now: Json = await world.client.get(f"/v1/payments/{payment['id']}")
    assert now["amounts"]["captured"] == 700
    return now["refunds"], now["amounts"]["refunded"]


async def test_an_unchanged_object_leaves_nothing_behind(
    world: World, proxy: TamperingProxy
) -> None:
    """It is looked at again and again, and what it says is known."""
    payment = await world.create("AUTHORIZED", **AUTHORIZED)
    path = f"/v1/payment_intents/{payment['provider_object_id']}"

    async def looked(times: int) -> bool | None:
        return proxy.asked[path] >= times or None

    await eventually("the object was looked at again", lambda: looked(3))
    for table in ("inbox", "duplicates"):
        statement = f"select event_id from {table} where starts_with(event_id, %s)"  # noqa: S608  # constants
        assert await world.rows(statement, f"{payment['provider_object_id']}.") == []
    assert (await world.client.get(f"/v1/payments/{payment['id']}"))["status"] == "AUTHORIZED"


async def test_what_somebody_elses_capture_lets_go_is_no_refund_if_we_ask_for_the_same(
    world: World, proxy: TamperingProxy
) -> None:
    """Stripe refuses our capture then, and its event says who captured."""
    payment = await world.create("AUTHORIZED", amount=1000, **AUTHORIZED)
    with proxy.cut_off(_capture_path(payment)):
        await world.client.post(f"/v1/payments/{payment['id']}/capture", {"amount": 700})
        assert (await _decided(world, payment, "command.capture"))["outcome"] == "applied"
        await world.stripe("POST", _capture_path(payment), amount_to_capture=700)
        assert (await _decided(world, payment, CAPTURED))["outcome"] in {"applied", "stale"}
        assert await _refunds_after(world, payment) == ([], 0)
    await _answered(world, payment, "capture")
    now = await world.client.get(f"/v1/payments/{payment['id']}")
    assert (now["refunds"], now["amounts"]["refunded"]) == ([], 0)


async def test_a_refund_of_what_our_own_capture_let_go_is_real(world: World) -> None:
    """Our capture's event echoes our key, and our requests let go without a refund."""
    payment = await world.create("AUTHORIZED", amount=1000, **AUTHORIZED)
    await world.client.post(f"/v1/payments/{payment['id']}/capture", {"amount": 700})
    assert (await _decided(world, payment, CAPTURED))["outcome"] in {"applied", "stale"}
    (shown,), given = await _refunds_after(world, payment)
    assert (shown["status"], shown["amount"], given) == ("SUCCEEDED", 300, 300)


async def test_a_capture_that_was_denied_and_has_our_key_is_ours(
    world: World, proxy: TamperingProxy
) -> None:
    """The answer says that nothing was captured, so only the event's key says whose it was."""
    payment = await world.create("AUTHORIZED", amount=1000, **AUTHORIZED)
    denied = {"type": "invalid_request_error", "code": "testmode", "message": "Not captured."}
    with proxy.denying(_capture_path(payment), denied):
        await world.client.post(f"/v1/payments/{payment['id']}/capture", {"amount": 700})
        assert (await _answered(world, payment, "capture"))["outcome"] == "refused: testmode"
    assert (await _decided(world, payment, CAPTURED))["outcome"] in {"applied", "stale"}
    (shown,), given = await _refunds_after(world, payment)
    assert (shown["status"], shown["amount"], given) == ("SUCCEEDED", 300, 300)


@pytest.mark.parametrize("provider", ["stripe", "examplepay"])
async def test_a_cancel_of_a_captured_payment_is_refused_and_requested_no_more(
    world: World, proxy: TamperingProxy, provider: str
) -> None:
    """The client cancels, somebody else captures before our call: the money is taken."""
    method = "pm_card_visa" if provider == "stripe" else "tok_good"
    payment = await world.create(
        "AUTHORIZED", provider=provider, payment_method=method, **AUTHORIZED
    )
    object_id = payment["provider_object_id"]
    async with SimulatorControl(world.stack.second_simulator_url) as second:
        await second.post("/faults", {"unreachable": True})
        with proxy.cut_off(f"/v1/payment_intents/{object_id}/cancel"):
            accepted = await world.client.post(f"/v1/payments/{payment['id']}/cancel", {})
            assert (accepted["type"], accepted["refund_id"]) == ("cancel", None)
            asked = await world.when(payment["id"], lambda p: bool(p["cancel_requested"]))
            assert asked["status"] == "AUTHORIZED"
            if provider == "stripe":
                await world.stripe("POST", _capture_path(payment))
            else:
                await second.post("/capture", {"payment_id": object_id})
            paid = await world.when(payment["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
            assert paid["cancel_requested"]  # nobody has refused it yet
        await second.post("/faults", {})
    refused = await world.when(payment["id"], lambda p: not p["cancel_requested"])
    assert (refused["status"], refused["amounts"], refused["failure"]) == (
        "SUCCEEDED", {"authorized": 1000, "captured": 1000, "refunded": 0}, None,
    )  # fmt: skip
    assert (await _answered(world, payment, "cancel"))["outcome"] == "refused: already_captured"
    result = await _decided(world, payment, "result.cancel")
    assert (result["outcome"], "already_captured" in result["reason"]) == ("applied", True)
    assert (await world.states(payment["id"]))[-1]["cancel_requested"] is False
    again = await world.client.post(f"/v1/payments/{payment['id']}/cancel", {})
    entry = await world.entry(payment["id"], again["event_id"])
    assert entry["outcome"] == "rejected", entry
