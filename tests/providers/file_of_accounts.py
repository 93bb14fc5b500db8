"""The file of accounts that tests of providers write, with its secrets beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ports.provider import ProviderClient
from ports.rate_budget import RequestClass, Unlimited
from providers import registry

SECOND: Final = {
    "provider": "stripe",
    "account": "acct_2",
    "mode": "live",
    "api_key": "env:SECOND_KEY",
    "webhook_secrets": ["file:{folder}/old"],
}
SHOP: Final = {"provider": "stripe", "account": "acct_3", "mode": "live", "platform": "second"}
OWN_SHOP: Final = {"provider": "stripe", "account": "acct_4", "mode": "test", "platform": "stripe"}
OTHER_MODE: Final = {**SECOND, "mode": "test"}
OLD, NEW = "whsec_being_replaced", "whsec_that_replaces"  # test values


class File:
    """The file of accounts, with its secrets beside it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "accounts.json"
        self.write({"second": SECOND, "shop": SHOP, "own-shop": OWN_SHOP})

    def write(self, accounts: Mapping[str, Any], **rest: Any) -> None:
        """Replaces the file as a whole."""
        text = json.dumps({"accounts": accounts, **rest})
        new = self.path.with_suffix(".new")
        new.write_text(text.replace("{folder}", str(self.path.parent)))
        new.replace(self.path)


def all_clients() -> Mapping[str, ProviderClient]:
    """The clients of all accounts, without a limit of requests."""
    return registry.clients(dict.fromkeys(registry.rate_limits(), Unlimited()), RequestClass.SWEEP)
