"""Six accounts in one simulator, and a service that has them all: three, a platform and its two."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from sandbox.client import Json
from sandbox.environment import STRIPE_ACCOUNT, TENANT
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service

#: Requests that the simulator takes from an account in a second, as Stripe in test mode; and from
#: one whose limit calls soon reach.
PER_S, LOW_PER_S = 25, 10
BODY: Final[Json] = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}


@dataclass(frozen=True, slots=True)
class Owner:
    """One account: what the service calls it, what Stripe does, and the platform it belongs to."""

    name: str
    account: str
    mode: str = "test"
    platform: str | None = None
    per_s: int = PER_S

    @property
    def key_variable(self) -> str:
        """The variable with its API key."""
        return f"KEY_OF_{self.name.upper()}"


OWNERS: Final = (
    Owner("stripe", STRIPE_ACCOUNT),
    Owner("second", "acct_second", per_s=LOW_PER_S),
    Owner("abroad", "acct_abroad", mode="live"),
    Owner("market", "acct_market"),
    Owner("stall", "acct_stall", platform="market"),
    Owner("barrow", "acct_barrow", platform="market", per_s=LOW_PER_S),
)
BY_NAME: Final = {owner.name: owner for owner in OWNERS}
#: Those that the file has, and that have an endpoint and a key.
_FURTHER: Final = OWNERS[1:]
_KEYS: Final = {
    owner.name: f"sk_{owner.mode}_of_{owner.name}" for owner in _FURTHER if owner.platform is None
}
_SECRETS: Final = {name: f"whsec_of_{name}" for name in _KEYS}


@dataclass(frozen=True, slots=True)
class Market:
    """The running service, and each account as its owner has it."""

    stack: Stack

    def endpoint(self, owner: Owner) -> str:
        """The path of the endpoint at which its events arrive."""
        name = owner.platform or owner.name
        return "/webhooks/stripe" if name == "stripe" else f"/webhooks/stripe/{name}"

    def secret(self, path: str) -> str:
        """The secret of an endpoint."""
        name = path.removeprefix("/webhooks/stripe").removeprefix("/")
        return _SECRETS[name] if name else self.stack.webhook_secret

    def headers(self, owner: Owner) -> dict[str, str]:
        """The headers of a request that its owner makes to Stripe."""
        own = self.stack.environment["PAYMENTS_STRIPE_API_KEY"]
        key = {**_KEYS, "stripe": own}[owner.platform or owner.name]
        named = {"Stripe-Account": owner.account} if owner.platform else {}
        return {"Authorization": f"Bearer {key}", **named}

    async def inspect(self, path: str, owner: Owner) -> Any:
        """What the simulator has of an account."""
        async with httpx.AsyncClient(base_url=self.stack.simulator_url, timeout=30.0) as http:
            found = await http.get(f"/_control/{path}", params={"account": owner.account})
            return found.raise_for_status().json()


def _account_file() -> Json:
    accounts: dict[str, Json] = {}
    for owner in _FURTHER:
        row: Json = {"provider": "stripe", "account": owner.account, "mode": owner.mode}
        if owner.platform is None:
            row["api_key"] = f"env:{owner.key_variable}"
            row["webhook_secrets"] = [f"env:SECRET_OF_{owner.name.upper()}"]
        else:
            row["platform"] = owner.platform
        accounts[owner.name] = {**row, "requests_per_s": owner.per_s}
    allowed = [owner.name for owner in OWNERS]
    return {"accounts": accounts, "tenants": {TENANT: {"default": "stripe", "allowed": allowed}}}


def _simulated(ingress_url: str) -> list[Json]:
    found = []
    for owner in _FURTHER:
        row: Json = {"id": owner.account, "mode": owner.mode, "requests_per_s": owner.per_s}
        if owner.platform is None:
            row["api_key"] = _KEYS[owner.name]
            row["webhook_url"] = f"{ingress_url}/webhooks/stripe/{owner.name}"
            row["webhook_secrets"] = [_SECRETS[owner.name]]
            row["connected"] = [o.account for o in OWNERS if o.platform == owner.name]
        found.append(row)
    return found


@contextmanager
def running_market(root: Path) -> Iterator[Market]:
    """The service with two workers, on its own Kafka and Postgres."""
    file = root / "accounts.json"
    file.write_text(json.dumps(_account_file()))

    def given(shared: Mapping[str, str]) -> Mapping[str, str]:
        simulated = _simulated(shared["PAYMENTS_INGRESS_URL"])
        return {
            "PAYMENTS_ACCOUNTS_FILE": str(file),
            "PAYMENTS_STRIPE_REQUESTS_PER_S": str(PER_S),
            "PAYMENTS_SIMULATOR_ACCOUNTS": json.dumps(simulated),
            "PAYMENTS_SIMULATOR_REQUESTS_PER_S": str(PER_S),
            **{BY_NAME[name].key_variable: key for name, key in _KEYS.items()},
            **{f"SECRET_OF_{name.upper()}": secret for name, secret in _SECRETS.items()},
        }

    second_worker = ("worker2", ("cli", "worker"), "/readyz", "PAYMENTS_METRICS_PORT")
    with running_service(root / "service", (*PROGRAMS, second_worker), QUICK, given) as stack:
        yield Market(stack)
