"""The page "Going live with Stripe" has the settings and event types that the code has."""

import re
from typing import Final

from providers.stripe.translate import OWN_TYPES, TRANSLATORS
from schemas.settings import (
    StripeAccountSettings,
    StripeReadSettings,
    StripeSettings,
    StripeWebhookSettings,
)
from tests.support.rooms import ROOT

PAGE: Final = (ROOT / "docs/going-live.md").read_text()
#: Settings with which the service is right for every account.
OPTIONAL: Final = {
    "PAYMENTS_STRIPE_API_BASE",
    "PAYMENTS_STRIPE_TIMEOUT_S",
    "PAYMENTS_STRIPE_READ_TIMEOUT_S",
    "PAYMENTS_STRIPE_READ_CONCURRENCY",
}


def test_the_page_lists_every_event_type_that_has_an_effect_and_no_other() -> None:
    """An endpoint without one of them would miss it, until the event list brings it."""
    (table,) = re.findall(r"\| about \| event types \|\n(.+?)\n\n", PAGE, re.DOTALL)
    sent = [kind for kind in TRANSLATORS if kind not in OWN_TYPES]
    assert re.findall(r"`([a-z_.]+)`", table) == sent


def test_the_page_names_every_setting_of_stripe() -> None:
    """Nobody has to find one of them in the list of all settings."""
    groups = (StripeAccountSettings, StripeReadSettings, StripeSettings, StripeWebhookSettings)
    names = {f"PAYMENTS_{name.upper()}" for group in groups for name in group.model_fields}
    assert names - OPTIONAL <= set(re.findall(r"PAYMENTS_[A-Z_]+", PAGE))
