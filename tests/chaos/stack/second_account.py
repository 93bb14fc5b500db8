"""A second account at the same provider: some of the payments are in it, with its own endpoint."""

import json
from pathlib import Path
from typing import Final

from ports.provider import Account
from sandbox.environment import TENANT

NAME: Final = "second"
ACCOUNT: Final = Account("acct_second", is_live=False)
#: One payment out of this many is in it.
ONE_IN: Final = 3
PATH: Final = f"/webhooks/stripe/{NAME}"
_API_KEY: Final = "sk_test_of_the_second"
_SECRET: Final = "whsec_of_the_second"  # noqa: S105  # a test value
#: The simulator has no rate limit.
_PER_S: Final = 100_000


def service_variables(folder: Path) -> dict[str, str]:
    """The service's variables; this writes the file of accounts."""
    account = {
        "provider": "stripe",
        "account": ACCOUNT.name,
        "mode": "test",
        "api_key": "env:SECOND_API_KEY",
        "webhook_secrets": ["env:SECOND_WEBHOOK_SECRET"],
        "requests_per_s": _PER_S,
    }
    tenants = {TENANT: {"default": "stripe", "allowed": [NAME]}}
    path = folder / "accounts.json"
    if not path.exists():
        path.write_text(json.dumps({"accounts": {NAME: account}, "tenants": tenants}))
    return {
        "PAYMENTS_ACCOUNTS_FILE": str(path),
        "SECOND_API_KEY": _API_KEY,
        "SECOND_WEBHOOK_SECRET": _SECRET,
    }


def simulator_variables(gateway_url: str) -> dict[str, str]:
    """The provider's variables; the account's webhooks go to the gateway too."""
    account = {
        "id": ACCOUNT.name,
        "api_key": _API_KEY,
        "webhook_url": gateway_url + PATH,
        "webhook_secrets": [_SECRET],
    }
    return {"PAYMENTS_SIMULATOR_ACCOUNTS": json.dumps([account])}
