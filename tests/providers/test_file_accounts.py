"""Further accounts from a file: their adapters, and secrets that are rotated without a restart."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from domain.inputs import Foreign, PaymentFact
from ports.provider import Acknowledged, SignatureError
from ports.rate_budget import RateLimit
from providers import registry
from providers.reloading import EVERY_S
from schemas.environment import PREFIX
from schemas.settings import SettingsError
from tests.conformance.kit.http_stub import http_stub
from tests.providers.file_of_accounts import (
    NEW,
    OLD,
    OTHER_MODE,
    OWN_SHOP,
    SECOND,
    SHOP,
    File,
    all_clients,
)
from tests.providers.stripe.builders import call, event, over_http, signed
from tests.providers.test_registry import FIRST
from tests.support.log_lines import lines

pytestmark = [pytest.mark.anyio, over_http]


@pytest.mark.usefixtures("file")
async def test_every_account_has_adapters_of_its_name() -> None:
    """Connected accounts have no endpoint: their events arrive at their platform's."""
    names = {"stripe", "second", "shop", "own-shop"}
    clients = all_clients()
    assert set(clients) == set(registry.rate_limits()) == names
    assert set(registry.translators()) == {*names, "examplepay"} == set(registry.money_rules())
    assert set(registry.readers()) == {"stripe", "second"}
    for made in (clients, registry.translators(), registry.readers()):
        assert all(each.name == name for name, each in made.items())
    for client in clients.values():
        await client.close()


@pytest.mark.usefixtures("file")
def test_every_account_has_a_rate_budget_of_its_own() -> None:
    """By its mode, as the provider documents."""
    assert registry.rate_limits()["second"] == RateLimit("stripe/acct_2/live", 100.0, 25.0)
    assert registry.rate_limits()["own-shop"] == RateLimit("stripe/acct_4/test", 25.0, 25.0)


def test_an_account_may_have_a_limit_of_its_own(file: File) -> None:
    """Stripe raises or lowers it for some."""
    file.write({"second": {**SECOND, "requests_per_s": 50, "endpoint_requests_per_s": 40}})
    assert registry.rate_limits()["second"] == RateLimit("stripe/acct_2/live", 50.0, 40.0)


def test_one_account_in_both_modes_is_two(file: File) -> None:
    """Also where the environment has it in the other mode."""
    file.write({"live": {**SECOND, "account": "acct_1"}, "second": SECOND, "test": OTHER_MODE})
    assert {"live", "second", "test"} <= set(registry.translators())


def test_a_read_key_of_the_other_mode_stops_the_start(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does for the key that moves money."""
    monkeypatch.setenv("READ_KEY", "rk_test_of_the_second")
    file.write({"second": {**SECOND, "read_api_key": "env:READ_KEY"}})
    with pytest.raises(SettingsError, match=r"read_api_key is a test key, but its mode is live"):
        registry.client_secret_readers()


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("name", "account", "livemode", "is_ours"),
    [
        ("second", None, True, True),
        ("second", "acct_2", True, True),
        ("second", "acct_3", True, False),
        ("second", None, False, False),
        ("shop", "acct_3", True, True),
        ("shop", "acct_2", True, False),
        ("stripe", "acct_4", False, False),
        ("own-shop", "acct_4", False, True),
    ],
)
def test_an_event_must_be_of_the_account_and_mode(
    name: str, account: str | None, *, livemode: bool, is_ours: bool
) -> None:
    """Any other is foreign, whatever it says."""
    body = event("payment_intent.succeeded", account=account, livemode=livemode)
    fact = registry.translators()[name].translate(body).fact
    assert isinstance(fact, PaymentFact if is_ours else Foreign)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(("account", "about"), [("acct_3", "shop"), (None, None), ("acct_4", None)])
def test_a_platforms_endpoint_knows_its_connected_accounts(
    account: str | None, about: str | None
) -> None:
    """Not those of another platform."""
    body = event("payment_intent.succeeded", account=account)
    webhook = registry.readers()["second"].verify(body, signed(body, OLD))
    assert webhook.provider == about
    fact = registry.translators()[about or "second"].translate(body).fact
    assert webhook.event_id == fact.event_id == f"{about or 'second'}:evt_1"


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("name", "key", "connected"),
    [
        ("stripe", FIRST["STRIPE_API_KEY"], None),
        ("own-shop", FIRST["STRIPE_API_KEY"], "acct_4"),
        ("second", "sk_live_of_the_second", None),
        ("shop", "sk_live_of_the_second", "acct_3"),
    ],
)
async def test_a_request_has_the_accounts_key_and_names_a_connected_account(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str, connected: str | None
) -> None:
    """A connected account is asked with its platform's key."""
    async with http_stub() as stub:
        stub.response = ("200 OK", b'{"object": "payment_intent", "id": "pi_1"}')
        monkeypatch.setenv(f"{PREFIX}STRIPE_API_BASE", stub.address)
        clients = all_clients()
        assert await clients[name].call(call("cancel"), "key") == Acknowledged("pi_1")
        for client in clients.values():
            await client.close()
    sent = dict(line.lower().split(": ", 1) for line in stub.head.splitlines()[1:] if line)
    assert sent["authorization"] == f"bearer {key}"
    assert sent.get("stripe-account") == connected


def test_secrets_are_rotated_without_a_restart_and_without_a_gap(
    file: File, seconds: list[float]
) -> None:
    """The new one is added, both are valid, the old one is removed; each shows within a second."""
    readers, body = registry.readers(), event("payment_intent.succeeded")

    def valid() -> list[str]:
        seconds.append(seconds[-1] + EVERY_S)
        return [secret for secret in (OLD, NEW) if _is_valid(secret)]

    def _is_valid(secret: str) -> bool:
        try:
            readers["second"].verify(body, signed(body, secret))
        except SignatureError:
            return False
        return True

    assert valid() == [OLD]
    for names, expected in ((["old", "new"], [OLD, NEW]), (["new"], [NEW])):
        secrets = [f"file:{{folder}}/{name}" for name in names]
        file.write({"second": {**SECOND, "webhook_secrets": secrets}})
        assert valid() == expected
    (file.path.parent / "new").write_text(OLD)
    assert valid() == [OLD]
    file.path.write_text("{")
    assert valid() == [OLD]


@pytest.mark.usefixtures("file")
async def test_fetched_events_have_the_ids_of_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So an event that came by webhook too is known, and the list goes on after its own ID."""
    whole = json.loads(event("payment_intent.succeeded", livemode=True))
    page = {"object": "list", "data": [whole], "has_more": False}
    async with http_stub() as stub:
        stub.response = ("200 OK", json.dumps(page).encode())
        monkeypatch.setenv(f"{PREFIX}STRIPE_API_BASE", stub.address)
        clients = all_clients()
        (found,) = [each async for each in clients["second"].events_after("second:evt_0")]
        for client in clients.values():
            await client.close()
    assert [each.webhook.event_id for each in found] == ["second:evt_1"]
    assert "ending_before=evt_0 " in stub.head


def test_a_missing_secret_lets_no_tenant_use_the_account(file: File, seconds: list[float]) -> None:
    """It would take payments whose webhooks nobody can verify."""
    tenants = registry.tenant_accounts()
    third = {**SECOND, "account": "acct_9", "webhook_secrets": ["file:/none/secret"]}
    use = {"acme": {"default": "third", "allowed": []}}
    file.write({"second": SECOND, "third": third}, tenants=use)
    seconds.append(EVERY_S)
    assert "acme" not in tenants


def test_a_secret_may_be_a_variable(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no file that is followed."""
    monkeypatch.setenv("SECOND_SECRET", OLD)
    file.write({"second": {**SECOND, "webhook_secrets": ["env:SECOND_SECRET"]}})
    body = event("payment_intent.succeeded")
    assert registry.readers()["second"].verify(body, signed(body, OLD))


@pytest.mark.parametrize("changed", [{**SECOND, "account": "acct_9"}, OTHER_MODE])
def test_a_name_stays_with_its_account(
    file: File,
    seconds: list[float],
    caplog: pytest.LogCaptureFixture,
    changed: Mapping[str, Any],
) -> None:
    """Its payments are bound to it by its name. The log says to which."""
    translators = registry.translators()
    file.write({"second": changed})
    seconds.append(EVERY_S)
    is_live = changed["mode"] == "live"
    body = event("payment_intent.succeeded", account=changed["account"], livemode=is_live)
    assert isinstance(translators["second"].translate(body).fact, Foreign)
    (refused,) = lines(caplog, "accounts.not_reloaded")
    assert "accounts.second: its payments are bound to acct_2:" in refused["reason"]


def test_an_account_that_another_program_knows_already_is_known_at_once(
    file: File, seconds: list[float]
) -> None:
    """Its events must not become dead letters because the file was looked at a moment ago."""
    translators = registry.translators()
    assert translators.get("third") is None
    file.write({"second": SECOND, "third": {**SECOND, "account": "acct_9"}})
    assert seconds == [0.0]
    assert "third" in translators


def test_a_name_that_anybody_can_send_costs_no_look_at_the_file(
    file: File, seconds: list[float]
) -> None:
    """An address of a webhook needs no signature to be asked for; the provider tries again."""
    readers = registry.readers()
    file.write({"second": SECOND, "third": {**SECOND, "account": "acct_9"}})
    assert seconds == [0.0]
    assert "third" not in readers
    seconds.append(EVERY_S)
    assert "third" in readers


def test_a_new_account_needs_no_restart_of_what_reads_its_events(
    file: File, seconds: list[float]
) -> None:
    """Its reader, translator and rules appear, and a tenant may use it."""
    made = (registry.readers(), registry.translators(), registry.money_rules())
    tenants = registry.tenant_accounts()
    third = {**SECOND, "account": "acct_9"}
    file.write(
        {"second": SECOND, "third": third}, tenants={"acme": {"default": "third", "allowed": []}}
    )
    seconds.append(EVERY_S)
    assert all("third" in each for each in made)
    assert tenants["acme"].default == "third"


@pytest.mark.parametrize(
    ("accounts", "problem"),
    [
        ({"stripe": SECOND}, "accounts.stripe: the environment has an account of this name"),
        ({"examplepay": SECOND}, "accounts.examplepay: the environment has an account"),
        ({"a": {**SECOND, "account": "x"}}, "accounts.a.account"),
        ({"a": {**SECOND, "provider": "other"}}, "accounts.a.provider: only stripe"),
        ({"a": {**SECOND, "account": "acct_1", "mode": "test"}}, "a: the environment has this"),
        ({"a": {**SHOP, "platform": "none"}}, "accounts.a.platform: there is no account none"),
        ({"a": {**SHOP, "platform": "stripe"}}, "accounts.a.mode: its platform is in test mode"),
    ],
)
def test_an_account_that_cannot_be_stops_the_start(
    file: File, accounts: Mapping[str, Any], problem: str
) -> None:
    """The error names the field."""
    file.write(accounts)
    with pytest.raises(SettingsError, match=problem):
        registry.translators()


def test_the_environments_live_account_is_not_in_the_file_too(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is what is connected to it in another mode. Its test mode is another account."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_LIVEMODE", "true")
    for wrong, problem in (
        ({**SECOND, "account": "acct_1"}, "a: the environment has this account"),
        (OWN_SHOP, "accounts.a.mode: its platform is in live mode"),
    ):
        file.write({"a": wrong})
        with pytest.raises(SettingsError, match=problem):
            registry.translators()
    file.write({"a": {**OTHER_MODE, "account": "acct_1"}, "shop": {**OWN_SHOP, "mode": "live"}})
    assert {"a", "shop"} <= set(registry.translators())


def test_a_secret_that_cannot_be_had_stops_the_start(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the program that needs it; the error names the account and the field."""
    monkeypatch.setenv("SECOND_KEY", "sk_test_of_the_second")
    with pytest.raises(SettingsError, match=r"second.api_key is a test key, but its mode is live"):
        all_clients()
    monkeypatch.delenv("SECOND_KEY")
    with pytest.raises(SettingsError, match=r"second.api_key: env:SECOND_KEY is not set"):
        all_clients()
    (file.path.parent / "old").unlink()
    with pytest.raises(SettingsError, match=r"second.webhook_secrets: file:.*can't be read"):
        registry.readers()
    assert set(registry.translators()) > {"second"}


def test_a_tenant_of_an_account_that_does_not_exist_stops_the_start(file: File) -> None:
    """Its payments could never be made."""
    file.write({"second": SECOND}, tenants={"acme": {"default": "second", "allowed": ["none"]}})
    with pytest.raises(SettingsError, match=r"tenants.acme: there is no account none"):
        registry.tenant_accounts()
