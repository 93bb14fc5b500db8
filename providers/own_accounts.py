"""The environment's accounts, in the form that further ones have in the file of accounts.

They have no secret: a reference names the variable in which it stands.
"""

from collections.abc import Mapping
from typing import Final

from providers.stripe.webhooks import NAME as STRIPE
from schemas.accounts.provider_accounts import ProviderAccount
from schemas.groups.rate_settings import RateSettings
from schemas.settings import ExamplePaySettings, StripeAccountSettings, StripeReadSettings, load

_STRIPE: Final = "env:PAYMENTS_STRIPE_{}"
_EXAMPLEPAY: Final = "env:PAYMENTS_EXAMPLEPAY_{}"


def own_accounts() -> Mapping[str, ProviderAccount]:
    """Returns the accounts of the environment's settings by name. Raises SettingsError."""
    stripe, rates, example = load(StripeAccountSettings), load(RateSettings), "examplepay"
    has_read_key = load(StripeReadSettings).stripe_read_api_key is not None
    found = {
        STRIPE: ProviderAccount(
            provider=STRIPE,
            account=stripe.stripe_account,
            mode="live" if stripe.stripe_livemode else "test",
            api_key=_STRIPE.format("API_KEY"),
            read_api_key=_STRIPE.format("READ_API_KEY") if has_read_key else None,
            webhook_secrets=(_STRIPE.format("WEBHOOK_SECRETS"),),
            requests_per_s=rates.stripe_requests_per_s,
            endpoint_requests_per_s=rates.stripe_endpoint_requests_per_s,
        )
    }
    other = load(ExamplePaySettings)
    if (merchant := other.examplepay_account) is not None:
        found[example] = ProviderAccount(
            provider=example,
            account=merchant,
            mode="live" if other.examplepay_livemode else "test",
            api_key=_EXAMPLEPAY.format("API_KEY"),
            webhook_secrets=(_EXAMPLEPAY.format("WEBHOOK_SECRETS"),),
            requests_per_s=rates.examplepay_requests_per_s,
        )
    return found
