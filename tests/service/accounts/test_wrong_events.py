"""An event changes a payment only through its account's endpoint, naming its account and mode."""

import asyncio
import os
from dataclasses import dataclass
from itertools import product
from typing import Final

import httpx
import pytest

from sandbox.client import Json, PaymentsClient
from tests.service import evidence
from tests.service.accounts.market import BODY, OWNERS, Market, Owner
from tests.service.accounts.webhooks import deliver, event

pytestmark = pytest.mark.anyio

#: Events with a wrong binding; WRONG_BINDINGS=10000 for more.
WRONG: Final = int(os.environ.get("WRONG_BINDINGS", "400"))
AT_ONCE: Final = 16
EACH: Final = 2


@dataclass(frozen=True, slots=True)
class Binding:
    """Where an event arrives, and what it says of its account and mode."""

    path: str
    account: str | None
    livemode: bool

    @property
    def fields(self) -> Json:
        """What the event has of it."""
        named = {} if self.account is None else {"account": self.account}
        return {**named, "livemode": self.livemode}


def rights(market: Market, owner: Owner) -> set[Binding]:
    """The bindings of an account's own events. Its endpoint's own account may be named or not."""
    names = {owner.account} if owner.platform else {owner.account, None}
    path, is_live = market.endpoint(owner), owner.mode == "live"
    return {Binding(path, name, is_live) for name in names}


def bindings(market: Market) -> list[Binding]:
    """Every endpoint, with every account and none and one that is not ours, in both modes."""
    paths = sorted({market.endpoint(owner) for owner in OWNERS})
    accounts = [None, *(owner.account for owner in OWNERS), "acct_of_nobody"]
    return [Binding(*each) for each in product(paths, accounts, (False, True))]


async def test_events_of_a_wrong_endpoint_account_or_mode_change_nothing(market: Market) -> None:
    """Every wrong combination for payments of every account, signed by the endpoint's own secret.

    Nor does any become a dead letter, and the payments' own events are still applied.
    """
    stack = market.stack
    async with (
        PaymentsClient(stack.url, stack.api_key) as client,
        httpx.AsyncClient(base_url=stack.url) as http,
    ):
        body = {**BODY, "capture_method": "manual"}
        created = [await client.create({**body, "provider": owner.name}) for owner in OWNERS * EACH]
        before = [
            await client.wait_for(each, lambda p: bool(p["status"] == "AUTHORIZED"))
            for each in created
        ]
        wrong = [
            (payment, each)
            for owner, payment in zip(OWNERS * EACH, before, strict=True)
            for each in bindings(market)
            if each not in rights(market, owner)
        ]
        stride = next(n for n in range(7, 100) if len(wrong) % n)  # through all accounts early on

        async def send(number: int) -> int:
            payment, binding = wrong[number * stride % len(wrong)]
            # one in five about an object of its own
            object_id = payment["provider_object_id"] if number % 5 else f"pi_copy_{number}"
            made = event(number, payment["id"], object_id, **binding.fields)
            return (
                await deliver(http, binding.path, made, market.secret(binding.path))
            ).status_code

        for first in range(0, WRONG, AT_ONCE):
            numbers = range(first, min(WRONG, first + AT_ONCE))
            assert {*await asyncio.gather(*map(send, numbers))} == {200}
        found = await evidence.at_rest(stack)
        outcomes = [r.outcome for r in found.inbox if "evt_wrong_" in r.event_id]
        assert len(outcomes) == WRONG
        assert set(outcomes) == {"conflict", "ignored"}
        assert list(found.dead_letters) == []
        for known in before:
            assert await client.get(f"/v1/payments/{known['id']}") == known
            await client.post(f"/v1/payments/{known['id']}/capture", {"amount": "all"})
            await client.wait_for(known["id"], lambda p: bool(p["status"] == "SUCCEEDED"))
    evidence.check(await evidence.at_rest(stack))
