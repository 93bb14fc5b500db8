"""Settings, from environment variables that begin with ``PAYMENTS_SIMULATOR_``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sandbox.stripe_simulator.accounts.configured import (
    AccountId,
    ConfiguredAccount,
    PerSecond,
    check_together,
    parse_list,
)
from sandbox.stripe_simulator.faults import PRESETS, Faults, parse_faults
from schemas.settings import ACCOUNT_ID
from schemas.settings_types import DURATION_MAX_S, Host

PREFIX = "PAYMENTS_SIMULATOR_"
DAY_S = 86_400

Seconds = Annotated[float, Field(gt=0, le=DURATION_MAX_S, allow_inf_nan=False)]


class SimulatorSettings(BaseSettings):
    """The settings. The API key has no default; webhook URL and secret need each other."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: Host = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(12_111, ge=1, le=65_535, description="Port to listen on.")
    public_base_url: HttpUrl | None = Field(
        None, description="Where a browser reaches it, if not at that address."
    )
    api_key: SecretStr = Field(description="The secret API key of its default account.")
    account_id: str = Field(
        "acct_sandbox", pattern=f"^{ACCOUNT_ID}$", description="The ID of that account."
    )
    read_api_key: SecretStr | None = Field(
        None, description="A restricted key: it reads payment intents and nothing else."
    )
    connected_accounts: Annotated[tuple[AccountId, ...], NoDecode, BeforeValidator(parse_list)] = (
        Field(
            (),
            description="A JSON list of the IDs of its connected accounts, which are among "
            "PAYMENTS_SIMULATOR_ACCOUNTS.",
        )
    )
    accounts: Annotated[tuple[ConfiguredAccount, ...], NoDecode, BeforeValidator(parse_list)] = (
        Field(
            (),
            description="Further accounts: a JSON list of objects with id, api_key, mode (test or "
            "live), webhook_url, webhook_secrets, the IDs that are connected to a platform, and "
            "limits, as in accounts/configured.py.",
        )
    )
    requests_per_s: PerSecond | None = Field(
        None, description="Requests that an account takes in one second; none: any number."
    )
    endpoint_requests_per_s: PerSecond | None = Field(
        None, description="Requests of one operation that it takes in one second; none: any number."
    )
    webhook_url: HttpUrl | None = Field(None, description="Where webhooks go; needs the secret.")
    webhook_secret: SecretStr | None = Field(None, description="Signs the webhooks; needs the URL.")
    seed: str = Field("0", description="The same seed draws the same IDs and faults.")
    faults: Annotated[Faults, NoDecode, BeforeValidator(parse_faults)] = Field(
        PRESETS["none"],
        description="A preset (none, rough, hostile), or JSON with the fields of faults.py.",
        json_schema_extra={"default": "none"},
    )
    state_dir: Path | None = Field(None, description="The state's folder; None: in memory.")

    webhook_concurrency: int = Field(32, ge=1, le=1_000, description="Deliveries at a time.")
    webhook_timeout_s: Seconds = Field(
        10.0, description="How long a delivery waits for a response."
    )
    webhook_max_age_s: Seconds = Field(
        3.0 * DAY_S, description="A delivery is given up after this, on the simulator's clock."
    )
    retry_base_delay_s: Seconds = Field(0.2, description="Delay of a delivery's first retry.")
    retry_max_delay_s: Seconds = Field(5.0, description="Longest delay between retries.")

    # On the simulator's clock.
    settlement_delay_s: float = Field(
        1.0,
        ge=0,
        le=DURATION_MAX_S,
        allow_inf_nan=False,
        description="After this refunds settle and disputes open.",
    )
    authorization_hold_s: Seconds = Field(
        7.0 * DAY_S, description="An uncaptured authorization is cancelled after this."
    )
    idempotency_key_age_s: Seconds = Field(
        1.0 * DAY_S, description="An idempotency key expires after this."
    )
    event_retention_s: Seconds = Field(30.0 * DAY_S, description="Events are listed for this long.")

    @field_validator("api_key", "read_api_key", "webhook_secret")
    @classmethod
    def _is_not_blank(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("is empty; set a secret, for example one made with `openssl rand`")
        return value

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError(
                f"{PREFIX}WEBHOOK_URL and {PREFIX}WEBHOOK_SECRET go together; set both or none"
            )
        return self

    @model_validator(mode="after")
    def _accounts_fit_together(self) -> Self:
        check_together((self.own_account, *self.accounts))
        return self

    @property
    def own_account(self) -> ConfiguredAccount:
        """The default account."""
        secret = self.webhook_secret
        return ConfiguredAccount(
            id=self.account_id,
            api_key=self.api_key,
            read_api_key=self.read_api_key,
            webhook_url=self.webhook_url,
            webhook_secrets=() if secret is None else (secret,),
            connected=self.connected_accounts,
        )

    @property
    def base_url(self) -> str:
        """The simulator's URL for browsers, without a slash at the end."""
        return str(self.public_base_url or f"http://{self.host}:{self.port}").rstrip("/")


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Variables with the settings' prefix that are no setting, such as a misspelt one."""
    known = {f"{PREFIX}{name}".upper() for name in SimulatorSettings.model_fields}
    return sorted(
        name
        for name in environment
        if name.upper().startswith(PREFIX) and name.upper() not in known
    )


def describe_refusal(error: ValidationError) -> list[str]:
    """One line per invalid setting, with its variable's name and without its value."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        name = PREFIX + place[0].upper() if place else "settings"
        inside = f" ({'.'.join(place[1:])})" if len(place) > 1 else ""
        lines.append(f"{name}{inside}: {problem['msg'].removeprefix('Value error, ')}")
    return lines
