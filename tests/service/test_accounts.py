"""The file of accounts, in the running service: tenants, and secrets that are rotated."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from sandbox.client import PaymentsClient
from tests.service.accounts.webhooks import deliver, event
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service

pytestmark = pytest.mark.anyio

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
        "PAYMENTS_EVENT_LIST_EVERY_S": "60",  # the simulator has no second account here
    }
    with running_service(folder / "service", PROGRAMS, quick) as stack:
        yield Accounts(stack, path)


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
