"""What is asked of an account of the file: by which key, of whom, in which mode and budget."""

import json

import pytest

from domain.inputs import PaymentFact
from ports.rate_budget import RequestClass, Unlimited
from providers import registry
from schemas.environment import PREFIX
from tests.conformance.kit.http_stub import http_stub
from tests.providers.file_of_accounts import SECOND, SHOP, File, all_clients
from tests.providers.stripe.builders import call, over_http

pytestmark = [pytest.mark.anyio, over_http]


@pytest.mark.usefixtures("file")
async def test_a_request_takes_from_the_budget_of_its_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connected account has its own, though it is asked with its platform's key."""
    asked: list[str] = []

    class Noting(Unlimited):
        def __init__(self, account: str) -> None:
            self.account = account

        async def take(self, _: RequestClass) -> None:
            asked.append(self.account)

    async with http_stub() as stub:
        stub.response = ("200 OK", b'{"object": "payment_intent", "id": "pi_1"}')
        monkeypatch.setenv(f"{PREFIX}STRIPE_API_BASE", stub.address)
        budgets = {name: Noting(name) for name in registry.rate_limits()}
        clients = registry.clients(budgets, RequestClass.SWEEP)
        for client in clients.values():
            await client.call(call("cancel"), "key")
            await client.close()
    assert asked == list(clients)


@pytest.mark.parametrize(("name", "connected"), [("second", None), ("shop", "acct_3")])
async def test_a_client_secret_is_read_of_the_account_that_has_the_payment(
    file: File, monkeypatch: pytest.MonkeyPatch, name: str, connected: str | None
) -> None:
    """Its platform has no such payment intent, or another one of the same ID."""
    monkeypatch.setenv("READ_KEY", "rk_live_of_the_second")
    key = {"read_api_key": "env:READ_KEY"}
    without_key = {**SHOP, "account": "acct_9"}
    file.write({"none": without_key, "second": {**SECOND, **key}, "shop": {**SHOP, **key}})
    async with http_stub() as stub:
        stub.response = ("200 OK", b'{"object": "payment_intent", "client_secret": "pi_secret"}')
        monkeypatch.setenv(f"{PREFIX}STRIPE_API_BASE", stub.address)
        readers = registry.client_secret_readers()
        assert set(readers) == {"second", "shop"}
        assert await readers[name].client_secret("pi_1") == "pi_secret"
        for reader in readers.values():
            await reader.close()
    sent = dict(line.lower().split(": ", 1) for line in stub.head.splitlines()[1:] if line)
    assert sent["authorization"] == "bearer rk_live_of_the_second"
    assert sent.get("stripe-account") == connected


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(("name", "is_live"), [("second", True), ("own-shop", False)])
async def test_what_is_fetched_has_the_mode_of_its_account(
    monkeypatch: pytest.MonkeyPatch, name: str, *, is_live: bool
) -> None:
    """An object does not say it in every list; of the other mode it would be ignored."""
    about = b'{"object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": 1, "amount_received": 1, "currency": "eur", "created": 1}'  # noqa: E501  # as it is sent
    async with http_stub() as stub:
        stub.response = ("200 OK", about)
        monkeypatch.setenv(f"{PREFIX}STRIPE_API_BASE", stub.address)
        clients = all_clients()
        found = await clients[name].retrieve("pi_1")
        for client in clients.values():
            await client.close()
    assert json.loads(found.body)["livemode"] is is_live
    assert isinstance(registry.translators()[name].translate(found.body).fact, PaymentFact)
