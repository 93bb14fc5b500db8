"""The providers there are. Adding one is a folder, and a line in each function here."""

from collections.abc import Mapping
from datetime import UTC, datetime

from providers.examplepay.client import ExamplePayApi
from providers.examplepay.webhooks import ExamplePayWebhooks
from providers.port import ProviderClient, Translator, WebhookReader
from providers.stripe.client import StripeApi
from providers.stripe.webhooks import StripeWebhooks
from schemas.settings import ExamplePaySettings, StripeSettings, StripeWebhookSettings, load


def readers() -> Mapping[str, WebhookReader]:
    """Each provider's webhook reader by its name, from the environment's settings.

    Raises SettingsError where a provider's settings are missing or wrong.
    """
    stripe = load(StripeWebhookSettings)
    found: list[WebhookReader] = [
        StripeWebhooks(stripe.stripe_webhook_secrets, stripe.stripe_webhook_tolerance_s)
    ]
    example = load(ExamplePaySettings)
    secrets = example.examplepay_webhook_secrets
    if secrets is not None:
        found.append(ExamplePayWebhooks(secrets, example.examplepay_webhook_tolerance_s, _now))
    return {reader.name: reader for reader in found}


def translators() -> Mapping[str, Translator]:
    """Each provider's translator by its name.

    They depend on no setting: a provider that is not set up any more still has records in the log.
    """
    found: list[Translator] = [StripeWebhooks((), 1), ExamplePayWebhooks((), 1, _now)]
    return {translator.name: translator for translator in found}


def clients() -> Mapping[str, ProviderClient]:
    """Each provider's client by its name. Raises SettingsError likewise."""
    found: list[ProviderClient] = [StripeApi(load(StripeSettings))]
    example = load(ExamplePaySettings)
    address, key = example.examplepay_api_base, example.examplepay_api_key
    if address is not None and key is not None:
        found.append(ExamplePayApi(address, key, example.examplepay_timeout_s))
    return {client.name: client for client in found}


def _now() -> datetime:
    return datetime.now(UTC)
