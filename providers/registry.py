"""Builds the adapters of all providers. A new provider adds a folder, and lines here."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ports.provider import Account, ProviderClient, Translator, WebhookReader
from providers.examplepay.client import ExamplePayApi
from providers.examplepay.webhooks import ExamplePayTranslator, ExamplePayWebhooks
from providers.stripe.client import StripeApi, is_live_key
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from schemas.settings import (
    ExamplePaySettings,
    SettingsError,
    StripeAccountSettings,
    StripeSettings,
    StripeWebhookSettings,
    load,
)


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


def clients() -> Mapping[str, ProviderClient]:
    """Returns each provider's client by name. Raises SettingsError."""
    stripe, account = load(StripeSettings), load(StripeAccountSettings)
    is_live = is_live_key(stripe.stripe_api_key.get_secret_value())
    if is_live is not None and is_live is not account.stripe_livemode:
        raise SettingsError(
            f"PAYMENTS_STRIPE_API_KEY is a {'live' if is_live else 'test'} key, but "
            f"PAYMENTS_STRIPE_LIVEMODE is {str(account.stripe_livemode).lower()}: change one"
        )
    adapters: list[ProviderClient] = [StripeApi(stripe)]
    example = load(ExamplePaySettings)
    address, key = example.examplepay_api_base, example.examplepay_api_key
    if address is not None and key is not None:
        adapters.append(ExamplePayApi(address, key, example.examplepay_timeout_s))
    return {client.name: client for client in adapters}


def _now() -> datetime:
    return datetime.now(UTC)
