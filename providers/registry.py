"""The providers there are. Adding one is a folder, and a line in each function here."""

from collections.abc import Mapping

from providers.port import ProviderClient, WebhookReader
from providers.stripe.client import StripeApi
from providers.stripe.webhooks import StripeWebhooks
from schemas.settings import StripeSettings, StripeWebhookSettings, load


def readers() -> Mapping[str, WebhookReader]:
    """Each provider's webhook reader by its name, from the environment's settings.

    Raises SettingsError where a provider's settings are missing or wrong.
    """
    settings = load(StripeWebhookSettings)
    reader = StripeWebhooks(settings.stripe_webhook_secrets, settings.stripe_webhook_tolerance_s)
    return {reader.name: reader}


def clients() -> Mapping[str, ProviderClient]:
    """Each provider's client by its name. Raises SettingsError likewise."""
    client = StripeApi(load(StripeSettings))
    return {client.name: client}
