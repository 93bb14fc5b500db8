"""Several accounts at a provider, in the running service: none speaks for another's payments."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from sandbox.client import PaymentsClient
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.service import evidence
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service

pytestmark = pytest.mark.anyio

#: Events with a wrong binding; WRONG_BINDINGS=10000 for more.
WRONG: Final = int(os.environ.get("WRONG_BINDINGS", "400"))
AT_ONCE: Final = 16
OLD, NEW = "whsec_being_replaced", "whsec_that_replaces"  # test values
FOLLOWS_WITHIN_S: Final = 5.0
BODY: Final = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
SECOND: Final = {
    "provider": "stripe",
    "account": "acct_second",
    "mode": "test",
    "api_key": "env:SECOND_KEY",
}
SHOP: Final = {"provider": "stripe", "account": "acct_shop", "mode": "test", "platform": "stripe"}


@dataclass
class Accounts:
    """The service, and the file of its further accounts."""

    stack: Stack
    path: Path

    def write(self, *secrets: str) -> None:
        """Replaces the file: the second account has these webhook secrets."""
        write(self.path, *secrets)


def write(path: Path, *secrets: str) -> None:
    """Writes the secrets to files of their own, and the file that refers to them."""
    references = []
    for secret in secrets:
        held = path.with_name(secret)
        held.write_text(secret)
        references.append(f"file:{held}")
    second = {**SECOND, "webhook_secrets": references}
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"accounts": {"second": second, "shop": SHOP}}))
    new.replace(path)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """A service of its own, with a second account and a connected one."""
    folder = tmp_path_factory.mktemp("accounts")
    path = folder / "accounts.json"
    write(path, OLD)
    quick = {
        **QUICK,
        "PAYMENTS_ACCOUNTS_FILE": str(path),
        "SECOND_KEY": "sk_test_of_the_second",
        "PAYMENTS_EVENT_LIST_EVERY_S": "60",  # the simulator has one account only
    }
    with running_service(folder / "service", PROGRAMS, quick) as stack:
        yield Accounts(stack, path)


def event(number: int, payment_id: str, object_id: str, **changes: Any) -> bytes:
    """An event that would change the payment, if it were of the payment's account."""
    status = ("canceled", "requires_capture", "requires_payment_method")[number % 3]
    intent = {
        "id": object_id,
        "object": "payment_intent",
        "status": status,
        "amount": 1000,
        "amount_capturable": 1000 if status == "requires_capture" else 0,
        "amount_received": 0,
        "currency": "eur",
        "metadata": {"payment_id": payment_id},
    }
    whole = {
        "id": f"evt_wrong_{number}",
        "object": "event",
        "type": f"payment_intent.{status}",
        "created": int(time.time()) + 60,
        "livemode": False,
        "data": {"object": intent},
        "request": {"id": "req_1", "idempotency_key": f"{payment_id}:create"},
    }
    return json.dumps({**whole, **changes}).encode()


async def deliver(http: httpx.AsyncClient, path: str, body: bytes, secret: str) -> httpx.Response:
    """Sends a signed webhook."""
    header = signature_header(body, secret, int(time.time()))
    return await http.post(path, content=body, headers={"stripe-signature": header})


async def test_events_of_a_wrong_account_or_mode_change_nothing(accounts: Accounts) -> None:
    """Signed by another account's secret, of a connected account, of live mode: whatever they say.

    Nor does any become a dead letter, and the payments' own events are still applied.
    """
    stack = accounts.stack
    own = stack.webhook_secret
    async with (
        PaymentsClient(stack.url, stack.api_key) as client,
        httpx.AsyncClient(base_url=stack.url) as http,
    ):
        created = [await client.create({**BODY, "capture_method": "manual"}) for _ in range(8)]
        before = [
            await client.wait_for(each, lambda p: bool(p["status"] == "AUTHORIZED"))
            for each in created
        ]
        wrong: list[tuple[str, dict[str, Any], str]] = [
            ("/webhooks/stripe/second", {}, OLD),
            ("/webhooks/stripe", {"account": "acct_shop"}, own),
            ("/webhooks/stripe", {"account": "acct_nobody"}, own),
            ("/webhooks/stripe", {"livemode": True}, own),
        ]

        async def send(number: int) -> int:
            path, changes, secret = wrong[number % len(wrong)]
            payment = before[number % len(before)]
            # one in five about an object of its own
            copied = number % 5 == 0
            object_id = f"pi_copy_{number}" if copied else payment["provider_object_id"]
            body = event(number, payment["id"], object_id, **changes)
            return (await deliver(http, path, body, secret)).status_code

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


async def test_a_tenants_other_account_is_no_secret_default(accounts: Accounts) -> None:
    """A tenant that the file does not name can't choose an account of the file."""
    async with PaymentsClient(accounts.stack.url, accounts.stack.api_key) as client:
        response = await client.try_post("/v1/payments", {**BODY, "provider": "second"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "provider"


async def test_secrets_are_rotated_under_load_without_a_gap(accounts: Accounts) -> None:
    """No webhook that is signed with a valid secret is refused, and a removed one soon opens none.

    The new secret is valid within five seconds, and so long is the old one at most.
    """
    stack, number = accounts.stack, iter(range(1_000_000))

    async with httpx.AsyncClient(base_url=stack.url) as http:

        async def is_accepted(secret: str) -> bool:
            body = event(next(number), "pay_" + "a" * 30, "pi_1", id=f"evt_{next(number)}")
            response = await deliver(http, "/webhooks/stripe/second", body, secret)
            assert response.status_code in {200, 400}
            return response.status_code == httpx.codes.OK

        async def until(secret: str, *, accepted: bool, meanwhile: str) -> None:
            deadline = time.monotonic() + FOLLOWS_WITHIN_S
            while await is_accepted(secret) is not accepted:
                assert time.monotonic() < deadline
                assert await is_accepted(meanwhile)

        assert await is_accepted(OLD)
        assert not await is_accepted(NEW)
        accounts.write(OLD, NEW)
        await until(NEW, accepted=True, meanwhile=OLD)
        assert await is_accepted(OLD)
        accounts.write(NEW)
        await until(OLD, accepted=False, meanwhile=NEW)
        for _ in range(20):
            assert await is_accepted(NEW)
            assert not await is_accepted(OLD)
