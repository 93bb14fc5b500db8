"""A payment lives in its own account's world from create to refund, and in no other."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from sandbox.client import Json, PaymentsClient, SimulatorControl
from sandbox.environment import TENANT
from schemas import identity
from tests.service import evidence
from tests.service.accounts.market import BODY, OWNERS, Market, Owner
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

EACH: Final = 4
#: So long may a payment wait for its account's rate budget and for what only its list has.
WITHIN_S: Final = 90.0


async def lived(client: PaymentsClient, owner: Owner, number: int) -> Json:
    """A payment's whole life in an account: created, captured by itself or by us, refunded."""
    manual = {"capture_method": "manual"} if number % 2 else {}
    amount = 1000 + number
    payment_id = await client.create({**BODY, "amount": amount, "provider": owner.name, **manual})
    if manual:
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "AUTHORIZED"), WITHIN_S)
        await client.post(f"/v1/payments/{payment_id}/capture", {"amount": amount - 100})
    await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"), WITHIN_S)
    await client.post(f"/v1/payments/{payment_id}/refunds", {"amount": 300})
    return await client.wait_for(payment_id, lambda p: p["amounts"]["refunded"] == 300, WITHIN_S)


async def lives(market: Market) -> dict[str, list[Json]]:
    """Several payments' lives at once in every account."""
    async with PaymentsClient(market.stack.url, market.stack.api_key) as client:
        ended = await asyncio.gather(
            *(lived(client, owner, number) for owner in OWNERS for number in range(EACH))
        )
    by_owner: dict[str, list[Json]] = {owner.name: [] for owner in OWNERS}
    for payment in ended:
        by_owner[payment["provider"]].append(payment)
    return by_owner


def payment_ids_in(world: Any) -> Iterator[str]:
    """The payments that the objects and calls of a world name."""
    yield from (each["metadata"].get("payment_id") for each in world["payment_intents"])


async def each_is_in_its_own_world(market: Market, ended: dict[str, list[Json]]) -> None:
    """Objects, refunds and calls are in the payment's account, once, and nowhere else."""
    ours = {p["id"]: owner for owner, payments in ended.items() for p in payments}
    for owner in OWNERS:
        world = await market.inspect("objects", owner)
        found = {
            each["metadata"]["payment_id"]: each
            for each in world["payment_intents"]
            if each["metadata"].get("payment_id") in ours
        }
        assert found.keys() == {p["id"] for p in ended[owner.name]}
        for payment in ended[owner.name]:
            intent = found[payment["id"]]
            assert intent["id"] == payment["provider_object_id"]
            assert intent["amount_received"] == payment["amounts"]["captured"]
            assert intent["livemode"] is (owner.mode == "live")
            refunded = [
                each["amount"]
                for each in world["refunds"]
                if each["payment_intent"] == intent["id"]
            ]
            assert refunded == [300]
        calls = (await market.inspect("executions", owner))["executions"]
        called = {str(each["idempotency_key"]).partition(":")[0] for each in calls}
        assert called & ours.keys() == found.keys()


async def test_a_whole_life_is_in_one_world(market: Market) -> None:
    """In three accounts, a platform and its two connected accounts at once."""
    ended = await lives(market)
    await each_is_in_its_own_world(market, ended)
    evidence.check(await evidence.at_rest(market.stack))


async def test_what_no_webhook_brought_is_read_from_each_accounts_own_list(market: Market) -> None:
    """No webhook comes at all, in any account."""
    async with SimulatorControl(market.stack.simulator_url) as simulator:
        await simulator.faults(drop=1.0)
        try:
            ended = await lives(market)
        finally:
            await simulator.faults()
    await each_is_in_its_own_world(market, ended)
    evidence.check(await evidence.at_rest(market.stack))


async def copy_in(market: Market, owner: Owner, payment_id: str) -> str | None:
    """Somebody's own paid object, with another's payment ID, amount and currency. Its ID."""
    form = {
        "amount": str(BODY["amount"]),
        "currency": BODY["currency"].lower(),
        "payment_method": BODY["payment_method"],
        "allowed_payment_method_types[]": "card",
        "confirm": "true",
        "metadata[payment_id]": payment_id,
    }
    headers = {**market.headers(owner), "Idempotency-Key": f"{payment_id}:create"}
    async with httpx.AsyncClient(base_url=market.stack.simulator_url) as http:
        while True:
            answer = await http.post("/v1/payment_intents", data=form, headers=headers)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return str(answer.raise_for_status().json()["id"])
            await asyncio.sleep(0.2)  # the account's rate limit


@pytest.mark.parametrize("faults", [{}, {"timeout_after": 0.5, "timeout_hold_s": 1.0}])
async def test_a_copy_in_another_account_is_never_adopted(
    market: Market, faults: dict[str, float]
) -> None:
    """Every other account has one before the payment exists, with the key of our own call too.

    Nor when the answer to our call is lost, and has to be looked up.
    """
    keys = {owner: secrets.token_hex(16) for owner in OWNERS}
    copies: dict[str, set[str]] = {}
    for owner, key in keys.items():
        payment_id = identity.payment_id(TENANT, key)
        others = [other for other in OWNERS if other is not owner]
        made = await asyncio.gather(*(copy_in(market, other, payment_id) for other in others))
        copies[payment_id] = {str(each) for each in made}
    async with (
        SimulatorControl(market.stack.simulator_url) as simulator,
        PaymentsClient(market.stack.url, market.stack.api_key) as client,
    ):
        await until(lambda: nothing_pending(market), within_s=60)
        await simulator.faults(**faults)
        try:
            for owner, key in keys.items():
                payment_id = await client.create({**BODY, "provider": owner.name}, key)
                assert payment_id in copies
            ended = [
                await client.wait_for(each, lambda p: bool(p["status"] == "SUCCEEDED"), WITHIN_S)
                for each in copies
            ]
        finally:
            await simulator.faults()
    found = await evidence.at_rest(market.stack)
    for owner, payment in zip(keys, ended, strict=True):
        world = await market.inspect("objects", owner)
        (own,) = (
            each["id"]
            for each in world["payment_intents"]
            if each["metadata"].get("payment_id") == payment["id"]
        )
        assert payment["provider_object_id"] == own
        assert own not in copies[payment["id"]]
        async with PaymentsClient(market.stack.url, market.stack.api_key) as client:
            assert await client.get(f"/v1/payments/{payment['id']}") == payment
    assert list(found.dead_letters) == []
    refused = {row.payment_id for row in found.inbox if row.outcome == "conflict"}
    assert copies.keys() <= refused, "the copies were not seen"
    evidence.check(found)


async def nothing_pending(market: Market) -> bool:
    """Whether every account's webhooks are delivered."""
    stats = [await market.inspect("stats", owner) for owner in OWNERS]
    return not any(each["pending_deliveries"] for each in stats)
