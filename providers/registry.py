"""Builds the adapters of all providers. A new provider adds a folder, and lines here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from ports.provider import (
    Account,
    ClientSecretReader,
    MoneyRules,
    ProviderClient,
    Translator,
    WebhookReader,
)
from ports.rate_budget import RateBudget, RateLimit, RequestBudget, RequestClass
from providers.examplepay.client import ExamplePayApi
from providers.examplepay.client_secrets import ExamplePayClientSecrets
from providers.examplepay.money import ExamplePayMoney
from providers.examplepay.webhooks import ExamplePayTranslator, ExamplePayWebhooks
from providers.stripe.access.api_keys import is_live_key
from providers.stripe.client import StripeApi
from providers.stripe.client_secrets import StripeClientSecrets
from providers.stripe.currencies import StripeMoney
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from schemas.rate_settings import RateSettings
from schemas.settings import (
    ExamplePaySettings,
    SettingsError,
    StripeAccountSettings,
    StripeAddressSettings,
    StripeReadSettings,
    StripeSettings,
    StripeWebhookSettings,
    load,
)

#: Requests that Stripe takes from an account in one second, where it was not raised.
STRIPE_LIVE_PER_S: Final = 100.0
STRIPE_TEST_PER_S: Final = 25.0


def readers() -> Mapping[str, WebhookReader]:
    """Returns each provider's webhook reader by name, from the environment's settings.

    Raises SettingsError if a provider's settings are missing or wrong.
    """
    stripe = load(StripeWebhookSettings)
    adapters: list[WebhookReader] = [
        StripeWebhooks(stripe.stripe_webhook_secrets, stripe.stripe_webhook_tolerance_s, _now)
    ]
    example = load(ExamplePaySettings)
    secrets = example.examplepay_webhook_secrets
    if secrets is not None:
        adapters.append(ExamplePayWebhooks(secrets, example.examplepay_webhook_tolerance_s, _now))
    return {reader.name: reader for reader in adapters}


def money_rules() -> Mapping[str, MoneyRules]:
    """Returns what each provider can charge, by its name. They need no settings."""
    rules: list[MoneyRules] = [StripeMoney(), ExamplePayMoney()]
    return {each.name: each for each in rules}


def translators() -> Mapping[str, Translator]:
    """Returns each provider's translator by name. Translators need our accounts, but no secret.

    A provider without settings has a translator too, for its records that are still in the log.
    They were verified on arrival, and no more can arrive. Raises SettingsError.
    """
    stripe, example = load(StripeAccountSettings), load(ExamplePaySettings)
    name, is_live = example.examplepay_account, example.examplepay_livemode
    adapters: list[Translator] = [
        StripeTranslator(Account(stripe.stripe_account, stripe.stripe_livemode)),
        ExamplePayTranslator(Account(name, is_live) if name and is_live is not None else None),
    ]
    return {translator.name: translator for translator in adapters}


def rate_limits() -> Mapping[str, RateLimit]:
    """Returns how often each provider takes requests of our account. Raises SettingsError."""
    rates, account = load(RateSettings), load(StripeAccountSettings)
    is_live, name = account.stripe_livemode, account.stripe_account
    per_s = rates.stripe_requests_per_s or (STRIPE_LIVE_PER_S if is_live else STRIPE_TEST_PER_S)
    limits = {"stripe": RateLimit(f"stripe/{name}/{_mode(is_live=is_live)}", per_s)}
    example = load(ExamplePaySettings)
    if (merchant := example.examplepay_account) is not None:
        mode = _mode(is_live=bool(example.examplepay_livemode))
        account_name = f"examplepay/{merchant}/{mode}"
        limits["examplepay"] = RateLimit(account_name, rates.examplepay_requests_per_s)
    return limits


def clients(budgets: Mapping[str, RateBudget], reads: RequestClass) -> Mapping[str, ProviderClient]:
    """Returns each provider's client by name. Raises SettingsError.

    Args:
        budgets: the rate budgets, by provider.
        reads: what the clients' requests are for that are no calls: look-ups, or sweeps.
    """
    asks = {name: RequestBudget(budget, reads) for name, budget in budgets.items()}
    stripe, reached = load(StripeSettings), load(StripeAddressSettings)
    _check_mode("PAYMENTS_STRIPE_API_KEY", stripe.stripe_api_key)
    is_live, budget = load(StripeAccountSettings).stripe_livemode, asks["stripe"]
    adapters: list[ProviderClient] = [
        StripeApi(stripe, reached.stripe_api_base, budget=budget, is_live=is_live)
    ]
    example = load(ExamplePaySettings)
    address, key = example.examplepay_api_base, example.examplepay_api_key
    if address is not None and key is not None:
        timeout_s = example.examplepay_timeout_s
        adapters.append(ExamplePayApi(address, key, timeout_s, asks["examplepay"]))
    return {client.name: client for client in adapters}


def client_secret_readers() -> Mapping[str, ClientSecretReader]:
    """Returns the readers of client secrets by the provider's name. Raises SettingsError.

    Stripe's exists only with a key of its own: the one that moves money stays with the worker.
    """
    adapters: list[ClientSecretReader] = []
    stripe = load(StripeReadSettings)
    if (key := stripe.stripe_read_api_key) is not None:
        _check_mode("PAYMENTS_STRIPE_READ_API_KEY", key)
        address = load(StripeAddressSettings).stripe_api_base
        adapters.append(StripeClientSecrets(stripe, key.get_secret_value(), address))
    if load(ExamplePaySettings).examplepay_webhook_secrets is not None:
        adapters.append(ExamplePayClientSecrets())
    return {reader.name: reader for reader in adapters}


def _mode(*, is_live: bool) -> str:
    return "live" if is_live else "test"


def _check_mode(variable: str, key: SecretStr) -> None:
    """Raises SettingsError for a key of the other mode than the account's."""
    is_live, account = is_live_key(key.get_secret_value()), load(StripeAccountSettings)
    if is_live is not None and is_live is not account.stripe_livemode:
        raise SettingsError(
            f"{variable} is a {_mode(is_live=is_live)} key, but "
            f"PAYMENTS_STRIPE_LIVEMODE is {str(account.stripe_livemode).lower()}: change one"
        )


def _now() -> datetime:
    return datetime.now(UTC)
