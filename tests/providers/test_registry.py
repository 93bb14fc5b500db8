"""The settings choose the providers; incomplete settings are refused."""

import json
import logging
import os
from collections.abc import Mapping

import pytest

from domain.inputs import Foreign
from ports.provider import ProviderClient
from ports.rate_budget import RateLimit, RequestClass, Unlimited
from providers import registry
from schemas.environment import PREFIX
from schemas.settings import ExamplePaySettings, SettingsError, load
from tests.providers.examplepay.test_translate import payment as payment_of
from tests.providers.stripe.builders import signed
from tests.providers.stripe.notices.test_reading import thin

pytestmark = pytest.mark.anyio

FIRST = {
    "STRIPE_API_KEY": "sk_test_of_the_tests",
    "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_tests",
    "STRIPE_ACCOUNT": "acct_1",
    "STRIPE_LIVEMODE": "false",
}
SECRET = "whsec_dGhlIGZpcnN0IHNlY3JldCBvZiB0aGUgdGVzdCBraXQ="  # noqa: S105  # a test value
SECOND = {
    "EXAMPLEPAY_API_BASE": "https://api.examplepay.example",
    "EXAMPLEPAY_API_KEY": "key-of-the-tests",
    "EXAMPLEPAY_WEBHOOK_SECRETS": SECRET,
    "EXAMPLEPAY_ACCOUNT": "merchant-1",
    "EXAMPLEPAY_LIVEMODE": "false",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the first provider's settings and removes those of the shell."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    for name, value in FIRST.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)


def _clients() -> Mapping[str, ProviderClient]:
    return registry.clients(dict.fromkeys(registry.rate_limits(), Unlimited()), RequestClass.SWEEP)


def test_the_settings_account_has_an_endpoint_for_notices_once_it_has_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without one its webhooks come all the same."""
    assert dict(registry.notice_readers()) == {}
    monkeypatch.setenv(f"{PREFIX}STRIPE_NOTICE_SECRETS", "whsec_of_notices,whsec_next_one")
    assert set(registry.notice_readers()) == {"stripe"}
    body = thin()
    for secret in ("whsec_of_notices", "whsec_next_one"):
        assert registry.notice_readers()["stripe"].verify(body, signed(body, secret))
    monkeypatch.setenv(f"{PREFIX}STRIPE_NOTICE_SECRETS", "short")
    with pytest.raises(SettingsError, match=r"PAYMENTS_STRIPE_NOTICE_SECRETS: .*8 characters"):
        registry.notice_readers()


async def test_a_second_provider_exists_if_it_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It then has a reader and a client."""
    for names in ({"stripe"}, {"stripe", "examplepay"}):
        clients = _clients()
        assert set(clients) == set(registry.readers()) == names
        for name, client in clients.items():
            assert client.name == name
            await client.close()
        for name, value in SECOND.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)


def test_every_provider_has_rules_of_its_amounts() -> None:
    """Also without settings: they are pure, and every translator has a provider's name."""
    rules = registry.money_rules()
    assert set(rules) == set(registry.translators())
    assert all(each.name == name for name, each in rules.items())


@pytest.mark.parametrize(("livemode", "per_s"), [("true", 100.0), ("false", 25.0)])
def test_an_account_has_the_rate_limit_of_its_mode(
    monkeypatch: pytest.MonkeyPatch, livemode: str, per_s: float
) -> None:
    """As Stripe has it, unless the settings say otherwise; each mode has its own."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_LIVEMODE", livemode)
    mode = "live" if livemode == "true" else "test"
    assert registry.rate_limits() == {"stripe": RateLimit(f"stripe/acct_1/{mode}", per_s, 25.0)}
    monkeypatch.setenv(f"{PREFIX}STRIPE_REQUESTS_PER_S", "400")
    monkeypatch.setenv(f"{PREFIX}STRIPE_ENDPOINT_REQUESTS_PER_S", "50")
    for name, value in SECOND.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert registry.rate_limits() == {
        "stripe": RateLimit(f"stripe/acct_1/{mode}", 400.0, 50.0),
        "examplepay": RateLimit("examplepay/merchant-1/test", 100.0),
    }


@pytest.mark.parametrize("key", ["sk_live_of_the_tests", "rk_live_of_the_tests"])
@pytest.mark.parametrize("livemode", [True, False])
async def test_a_key_of_the_other_mode_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, key: str, *, livemode: bool
) -> None:
    """The error names both variables."""
    other = key if not livemode else key.replace("live", "test")
    monkeypatch.setenv(f"{PREFIX}STRIPE_LIVEMODE", str(livemode))
    monkeypatch.setenv(f"{PREFIX}STRIPE_API_KEY", other)
    with pytest.raises(SettingsError, match=r"STRIPE_API_KEY is a .* PAYMENTS_STRIPE_LIVEMODE is"):
        _clients()
    monkeypatch.setenv(f"{PREFIX}STRIPE_LIVEMODE", str(not livemode))
    await _clients()["stripe"].close()


async def test_the_package_does_not_log_each_request() -> None:
    """Twice each, with the whole address: a first start makes thousands."""
    logging.getLogger("stripe").setLevel(logging.NOTSET)
    for client in _clients().values():
        await client.close()
    assert logging.getLogger("stripe").level == logging.WARNING


async def test_client_secrets_need_a_key_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's key moves money, so the ingress does not use it."""
    assert registry.client_secret_readers() == {}
    monkeypatch.setenv(f"{PREFIX}STRIPE_READ_API_KEY", "rk_test_of_the_tests")
    for name, value in SECOND.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    made = registry.client_secret_readers()
    assert set(made) == {"stripe", "examplepay"}
    assert await made["examplepay"].client_secret("any") is None
    for name, reader in made.items():
        assert reader.name == name
        await reader.close()
    monkeypatch.setenv(f"{PREFIX}STRIPE_READ_API_KEY", "rk_live_of_the_tests")
    with pytest.raises(SettingsError, match=r"STRIPE_READ_API_KEY is a live key"):
        registry.client_secret_readers()


@pytest.mark.parametrize("livemode", [True, False])
async def test_a_key_without_a_mode_is_accepted(
    monkeypatch: pytest.MonkeyPatch, *, livemode: bool
) -> None:
    """A simulator's key has none; PAYMENTS_STRIPE_LIVEMODE sets the mode."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_API_KEY", "key-of-a-stand-in")
    monkeypatch.setenv(f"{PREFIX}STRIPE_LIVEMODE", str(livemode))
    await _clients()["stripe"].close()


@pytest.mark.parametrize("livemode", [True, False])
def test_an_event_must_have_the_configured_mode(
    monkeypatch: pytest.MonkeyPatch, *, livemode: bool
) -> None:
    """An event of the other mode is foreign."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_LIVEMODE", str(livemode))
    translator = registry.translators()["stripe"]
    for is_live in (True, False):
        event = {"id": "evt_1", "type": "x", "created": 1, "livemode": is_live}
        body = json.dumps({**event, "data": {"object": {}}}).encode()
        assert isinstance(translator.translate(body).fact, Foreign) is (is_live is not livemode)


@pytest.mark.parametrize("livemode", [True, False])
def test_an_event_of_the_second_provider_must_be_of_its_account_and_mode(
    monkeypatch: pytest.MonkeyPatch, *, livemode: bool
) -> None:
    """Only where it is not configured any more nothing is known to compare."""
    whole = json.loads(payment_of()) | {"merchant": "merchant-1", "trial": False}
    body = json.dumps(whole).encode()
    for name, value in {**SECOND, "EXAMPLEPAY_LIVEMODE": str(livemode)}.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    fact = registry.translators()["examplepay"].translate(body).fact
    assert isinstance(fact, Foreign) is not livemode


async def test_every_account_whose_provider_has_a_check_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the worker, through its own clients."""
    for name, value in SECOND.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    clients = _clients()
    assert set(registry.account_checks(clients)) == {"stripe"}
    for client in clients.values():
        await client.close()


def test_translators_need_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it they would accept the events of every account."""
    monkeypatch.delenv(f"{PREFIX}STRIPE_ACCOUNT")
    with pytest.raises(SettingsError, match="PAYMENTS_STRIPE_ACCOUNT: Field required"):
        registry.translators()


@pytest.mark.parametrize("missing", SECOND)
def test_a_missing_setting_of_the_second_provider_is_named(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The error names no other variable."""
    for name in SECOND.keys() - {missing}:
        monkeypatch.setenv(f"{PREFIX}{name}", SECOND[name])
    with pytest.raises(SettingsError) as refused:
        registry.readers()
    assert str(refused.value).count(PREFIX) == 1
    assert f"{PREFIX}{missing}" in str(refused.value)


@pytest.mark.parametrize("name", ["EXAMPLEPAY_TIMEOUT_S", "EXAMPLEPAY_WEBHOOK_TOLERANCE_S"])
def test_an_optional_setting_alone_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The operator meant to configure the provider, so its required settings are missing."""
    monkeypatch.setenv(f"{PREFIX}{name}", "30")
    with pytest.raises(SettingsError) as refused:
        load(ExamplePaySettings)
    assert all(f"{PREFIX}{needed}" in str(refused.value) for needed in SECOND)


@pytest.mark.parametrize(
    "secrets",
    [
        *("", ",", "whsec_", "whsec_c2hvcnQ=", f"{SECRET},", SECRET.removeprefix("whsec_")),
        *("whsec_not in base64, but long enough", f"whsec_{'YWFh' * 22}", f"other_{SECRET[6:]}"),
    ],
)
def test_an_invalid_webhook_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, secrets: str
) -> None:
    """Standard Webhooks requires a key of 24 to 64 bytes. The error doesn't show it."""
    for name, value in {**SECOND, "EXAMPLEPAY_WEBHOOK_SECRETS": secrets}.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(SettingsError) as refused:
        load(ExamplePaySettings)
    assert str(refused.value).startswith(f"{PREFIX}EXAMPLEPAY_WEBHOOK_SECRETS: ")
    assert SECRET[6:30] not in str(refused.value)


def test_several_secrets_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation needs two."""
    for name, value in {**SECOND, "EXAMPLEPAY_WEBHOOK_SECRETS": f"{SECRET}, {SECRET}"}.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert len(load(ExamplePaySettings).examplepay_webhook_secrets or ()) == 2
