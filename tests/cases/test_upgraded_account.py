"""No webhook arrives, and the event list has events in every version that the account had.

Stripe: "The api_version used to render data when the event was created. The contents of data never
change": docs.stripe.com/api/events/object
"""

import time
from typing import Final

import pytest

from providers.stripe.versions import NEWEST
from sandbox.client import Json
from tests.cases.world import World
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

UNREAD: Final = "2014-11-20"
#: The account's version at the creation, the capture, the first refunds, and the last one.
UPGRADED: Final = (UNREAD, "2017-04-06", "2020-08-27", NEWEST)
IGNORED: Final = {"payment_intent.created", "payment_intent.amount_capturable_updated"}


async def _played(world: World, versions: tuple[str, str, str, str]) -> Json:
    """A payment that is captured in part and given back thrice, while the account is upgraded."""
    created, captured, refunded, newest = versions
    await _upgrade(world, created)
    payment = await world.create("AUTHORIZED", amount=1000, capture_method="manual")
    path, object_id = f"/v1/payments/{payment['id']}", payment["provider_object_id"]
    await _upgrade(world, captured)
    await world.client.post(f"{path}/capture", {"amount": 700})
    await world.when(payment["id"], lambda now: now["status"] == "SUCCEEDED")
    await _upgrade(world, refunded)
    await world.client.post(f"{path}/refunds", {"amount": 300})
    await world.when(payment["id"], lambda now: now["amounts"]["refunded"] == 300)
    await world.simulator.post(f"/payment_intents/{object_id}/refund", {"amount": 100})
    await world.when(payment["id"], lambda now: now["amounts"]["refunded"] == 400)
    await _next_second()  # a total has in it what was given back within its second
    await _upgrade(world, newest)
    await world.simulator.post(f"/payment_intents/{object_id}/refund", {"amount": 50})
    return await world.when(payment["id"], lambda now: now["amounts"]["refunded"] == 450)


async def _upgrade(world: World, version: str) -> None:
    await world.simulator.post("/account", {"api_version": version})


async def _next_second() -> None:
    second = int(time.time())

    async def is_next() -> bool:
        return int(time.time()) > second

    await until(is_next, within_s=5.0)


def _shown(payment: Json) -> Json:
    refunds = sorted((refund["status"], refund["amount"]) for refund in payment["refunds"])
    return {"refunds": refunds} | {
        name: payment[name] for name in ("status", "amounts", "failure", "disputes")
    }


async def test_a_list_of_several_versions_gives_the_same_payment(world: World) -> None:
    """Those of a version that is not read are recorded and counted, and the list goes on."""
    unread = world.metric("stream", "payments_unread_version_total")
    await world.simulator.faults(drop=1.0)
    try:
        same = _shown(await _played(world, (NEWEST, NEWEST, NEWEST, NEWEST)))
        payment = await _played(world, UPGRADED)
    finally:
        await _upgrade(world, NEWEST)
    assert same["amounts"] == {"authorized": 1000, "captured": 700, "refunded": 450}
    assert _shown(payment) == same
    entries = (await world.client.timeline(payment["id"]))["entries"]
    ignored = {entry["kind"]: entry["reason"] for entry in entries if entry["outcome"] == "ignored"}
    unread_ones = {f"stripe.{kind}" for kind in IGNORED}
    assert {kind for kind, reason in ignored.items() if UNREAD in reason} == unread_ones
    assert world.metric("stream", "payments_unread_version_total") >= unread + len(IGNORED)
