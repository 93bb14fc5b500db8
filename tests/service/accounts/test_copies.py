"""The programs' copies of the file of accounts differ for a while: nothing is lost meanwhile."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from sandbox.client import PaymentsClient
from sandbox.environment import TENANT
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.service import evidence
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SECRET: Final = "whsec_of_the_second"  # noqa: S105  # a test value
WITHIN_S: Final = 60.0
BODY: Final = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
ROWS: Final = "payments_unknown_account_rows{"
SECOND: Final = {
    "provider": "stripe",
    "account": "acct_second",
    "mode": "test",
    "api_key": "env:PAYMENTS_STRIPE_API_KEY",  # the simulator has one account
    "webhook_secrets": ["env:SECOND_SECRET"],
}


@dataclass
class Copies:
    """The service, each of whose programs has a copy of its own."""

    stack: Stack
    folder: Path

    def give(self, program: str) -> None:
        """Gives the program the newest file."""
        write(self.folder / program, {"second": SECOND})

    async def shows(self, program: str, condition: Callable[[float], bool]) -> None:
        """Waits until the number that the program shows as waiting is so."""

        async def is_so() -> bool:
            return condition(self.stack.metric(program, ROWS))

        await until(is_so, WITHIN_S)


def write(path: Path, accounts: Mapping[str, Any]) -> None:
    """Replaces the file as a whole."""
    tenants = {TENANT: {"default": "second", "allowed": ["stripe"]}} if accounts else {}
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"accounts": accounts, "tenants": tenants}))
    new.replace(path)


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    """Only the ingress has the second account yet."""
    names = ("ingress", "stream", "worker")
    for name in names:
        write(tmp_path / name, {"second": SECOND} if name == "ingress" else {})
    own = {name: {"PAYMENTS_ACCOUNTS_FILE": str(tmp_path / name)} for name in names}
    quick = {**QUICK, "SECOND_SECRET": SECRET, "PAYMENTS_BACKLOG_EVERY_S": "1"}
    with running_service(tmp_path / "service", PROGRAMS, quick, own_variables=own) as stack:
        yield Copies(stack, tmp_path)


def succeeded(payment: Mapping[str, Any]) -> bool:
    """Whether the payment has succeeded."""
    return bool(payment["status"] == "SUCCEEDED")


async def deliver(stack: Stack, payment_id: str, object_id: str) -> int:
    """The second account reports that the payment has succeeded. Returns the answer's status."""
    intent = {
        "id": object_id,
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 1000,
        "amount_received": 1000,
        "currency": "eur",
        "metadata": {"payment_id": payment_id},
    }
    body = json.dumps(
        {
            "id": "evt_of_the_second",
            "object": "event",
            "type": "payment_intent.succeeded",
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": intent},
            "request": {"id": "req_1", "idempotency_key": f"{payment_id}:create"},
        }
    ).encode()
    header = {"stripe-signature": signature_header(body, SECRET, int(time.time()))}
    async with httpx.AsyncClient(base_url=stack.url) as http:
        answer = await http.post("/webhooks/stripe/second", content=body, headers=header)
    return answer.status_code


async def test_what_one_program_accepts_waits_for_the_others(copies: Copies) -> None:
    """A call waits for the worker, a webhook for the stream; both show it. Others go on.

    Each is done once the program has the file: the stream follows it, the worker is restarted.
    """
    stack = copies.stack
    async with PaymentsClient(stack.url, stack.api_key) as client:
        accepted = await client.create(BODY)
        made = await client.wait_for(accepted, lambda payment: bool(payment["version"]))
        assert made["provider"] == "second"
        other = await client.create({**BODY, "provider": "stripe"})
        await client.wait_for(other, succeeded)
        await copies.shows("worker", lambda rows: rows == 1)

        copies.give("worker")
        stack.programs["worker"].stop()
        stack.programs["worker"].start()
        stack.programs["worker"].wait_until_ready()
        called = await client.wait_for(accepted, lambda p: p["provider_object_id"] is not None)
        assert await deliver(stack, accepted, called["provider_object_id"]) == httpx.codes.OK
        await copies.shows("stream", lambda rows: rows >= 1)
        await client.create({**BODY, "provider": "stripe"})
        assert not succeeded(await client.get(f"/v1/payments/{accepted}"))

        copies.give("stream")
        await client.wait_for(accepted, succeeded, WITHIN_S)
        await copies.shows("stream", lambda rows: rows == 0)
    found = await evidence.at_rest(stack)
    evidence.check(found)
    assert list(found.dead_letters) == []
    assert not found.quarantined
