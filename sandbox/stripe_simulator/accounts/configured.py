"""What the settings say of each account."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from schemas.settings import ACCOUNT_ID

AccountId = Annotated[str, Field(pattern=f"^{ACCOUNT_ID}$")]
Mode = Literal["test", "live"]
PerSecond = Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)]


class ConfiguredAccount(BaseModel):
    """One account in one mode. One that only its platform uses has no key of its own.

    Args:
        id: Stripe's ID of it.
        api_key: the secret key.
        read_api_key: a restricted key, which reads payment intents and nothing else.
        mode: the mode of its objects and events.
        webhook_url: where the account's events go, and of a platform its connected accounts' too.
        webhook_secrets: every webhook is signed with each of them, as while one is being replaced.
        connected: of a platform: the IDs of its connected accounts.
        requests_per_s: requests that it takes in a second; None: as the settings say for all.
        endpoint_requests_per_s: as above, of each operation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: AccountId
    api_key: SecretStr | None = None
    read_api_key: SecretStr | None = None
    mode: Mode = "test"
    webhook_url: HttpUrl | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    connected: tuple[AccountId, ...] = ()
    requests_per_s: PerSecond | None = None
    endpoint_requests_per_s: PerSecond | None = None

    @property
    def is_live(self) -> bool:
        """Whether its objects and events are of live mode."""
        return self.mode == "live"

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """Its keys, the restricted one included."""
        return tuple(key for key in (self.api_key, self.read_api_key) if key is not None)

    @field_validator("api_key", "read_api_key", "webhook_secrets")
    @classmethod
    def _are_not_blank(cls, value: Any) -> Any:
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None and not each.get_secret_value().strip():
                raise ValueError("is empty; set a secret")
        return value


def parse_list(value: Any) -> Any:
    """Convert JSON text into input for a list. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "[]")
    except (ValueError, RecursionError) as error:
        raise ValueError("write a JSON list") from error


def check_together(accounts: Iterable[ConfiguredAccount]) -> None:
    """Raises ValueError for accounts that can't be beside each other."""
    known: dict[tuple[str, str], ConfiguredAccount] = {}
    owners: dict[str, str] = {}
    for each in accounts:
        if (each.id, each.mode) in known:
            raise ValueError(f"{each.id}: it is there twice in {each.mode} mode")
        known[each.id, each.mode] = each
        for key in each.keys:
            if owners.setdefault(key.get_secret_value(), each.id) != each.id:
                raise ValueError(f"{each.id}: it has a key of {owners[key.get_secret_value()]}")
        if (each.webhook_url is None) != (not each.webhook_secrets):
            raise ValueError(f"{each.id}: webhook_url and webhook_secrets go together")
    connected = {(name, each.mode) for each in known.values() for name in each.connected}
    for name, mode in sorted(connected - known.keys()):
        raise ValueError(f"{name}: it is connected, and there is no such account in {mode} mode")
    for each in known.values():
        if each.api_key is None and (each.id, each.mode) not in connected:
            raise ValueError(f"{each.id}: it has no api_key, and no platform that uses it")
