"""Every setting of every process, as tables. All come from the environment, prefix ``PAYMENTS_``.

``load`` refuses a wrong, missing or misspelt variable by its name. No secret has a default. The
sandbox (``PAYMENTS_SANDBOX_*``) and the simulator (``PAYMENTS_SIMULATOR_*``) keep their own.
"""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.environment import is_set_for_a_service
from schemas.postgres_url import checked
from schemas.topics import BODY_BYTES_MAX

PREFIX: Final = "PAYMENTS_"
OWN_PREFIXES: Final = ("PAYMENTS_SANDBOX_", "PAYMENTS_SIMULATOR_", "PAYMENTS_TEST_")

Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+[^/\s]$")]


class SettingsError(Exception):
    """A variable is missing, wrong or unknown; the text names each one and the fix."""


def _split(value: Any) -> Any:
    """A comma-separated list as a tuple; empty items are kept, so that they can be refused."""
    return tuple(item.strip() for item in value.split(",")) if isinstance(value, str) else value


def _hashed_keys(value: Any) -> Any:
    """``tenant:sha256hex,...`` as a mapping from key hash to tenant."""
    if not isinstance(value, str):
        return value
    keys: dict[str, str] = {}
    for item in _split(value):
        tenant, _, digest = item.partition(":")
        if not tenant or len(digest) != 64 or set(digest) - set("0123456789abcdef"):  # noqa: PLR2004  # SHA-256 in hex
            raise ValueError("each item is tenant:<SHA-256 of the key in lower-case hex>")
        if keys.setdefault(digest, tenant) != tenant:
            raise ValueError(f"{tenant} and {keys[digest]} have one key; give each its own")
    return keys


def _one_word(secret: SecretStr) -> SecretStr:
    """A key goes into an HTTP header, and an error about one would repeat it."""
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("holds a blank, a line break or another character no key has")
    return secret


ApiKey = Annotated[SecretStr, Field(min_length=8), AfterValidator(_one_word)]


class _Environment(EnvSettingsSource):
    """The environment without what Kubernetes puts there for its Services."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = super()._load_env_vars()
        return {n: v for n, v in found.items() if not is_set_for_a_service(n, v or "")}


class Group(BaseSettings):
    """A group of settings, read from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment; no file."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(settings_cls)


class KafkaSettings(Group):
    """The brokers and the topics."""

    kafka_bootstrap: str = Field(min_length=3, description="Brokers, host:port, comma-separated.")
    partitions: int = Field(
        4, ge=1, le=1024, description="Partitions of the co-partitioned topics."
    )
    replication_factor: int = Field(1, ge=1, le=9, description="Copies of each topic; 3 for real.")


class DatabaseSettings(Group):
    """Postgres."""

    database_url: Annotated[SecretStr, AfterValidator(checked)] = Field(
        min_length=1, description="postgresql://user:password@host:port/name"
    )


class StripeAccountSettings(Group):
    """The one Stripe account, in one mode. Events of any other have no effect."""

    stripe_account: str = Field(
        pattern=r"^acct_[A-Za-z0-9]{1,64}$", description="Our account's ID, acct_...."
    )
    stripe_livemode: bool = Field(description="true: real money; false: test data.")


class StripeSettings(Group):
    """Stripe, or the simulator in its place."""

    stripe_api_base: HttpUrl = Field("https://api.stripe.com", description="Stripe's API.")
    stripe_api_key: ApiKey = Field(description="The secret API key.")
    stripe_timeout_s: Seconds = Field(20.0, description="Deadline of one call.")


class StripeWebhookSettings(Group):
    """What a Stripe webhook must be signed with."""

    stripe_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = (
        Field(
            min_length=1,
            description="Signing secrets of 8 characters or more, comma-separated; any will do.",
        )
    )
    stripe_webhook_tolerance_s: int = Field(
        300, ge=1, le=3600, description="How far from now a signature's time may be."
    )

    @model_validator(mode="after")
    def _no_empty_secret(self) -> Self:
        shortest = 8
        if any(len(s.get_secret_value()) < shortest for s in self.stripe_webhook_secrets):
            raise ValueError(f"a webhook secret has at least {shortest} characters")
        return self


def _standard_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Standard Webhooks: ``whsec_`` and the key, 24 to 64 bytes in base64."""
    for secret in secrets:
        prefix, _, encoded = secret.get_secret_value().partition("_")
        try:
            length = len(base64.b64decode(encoded, validate=True))
        except ValueError:
            length = 0
        if prefix != "whsec" or not 24 <= length <= 64:  # noqa: PLR2004  # as the standard says
            raise ValueError("each secret is whsec_<24 to 64 bytes in base64>")
    return secrets


class ExamplePaySettings(Group):
    """ExamplePay, a second provider: all of address, key, secrets, account and mode, or nothing."""

    examplepay_api_base: HttpUrl | None = Field(None, description="ExamplePay's API.")
    examplepay_api_key: ApiKey | None = Field(None, description="The secret API key.")
    examplepay_webhook_secrets: Annotated[
        Annotated[tuple[SecretStr, ...], Field(min_length=1), AfterValidator(_standard_secrets)]
        | None,
        NoDecode,
        BeforeValidator(_split),
    ] = Field(None, description="Signing secrets, whsec_<base64>, comma-separated; any will do.")
    examplepay_account: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")] | None = Field(
        None, description="Our merchant's name there. Events of any other have no effect."
    )
    examplepay_livemode: bool | None = Field(
        None, description="true: real money; false: trial data."
    )
    examplepay_webhook_tolerance_s: int = Field(
        300, ge=1, le=3600, description="How far from now a signature's time may be."
    )
    examplepay_timeout_s: Seconds = Field(20.0, description="Deadline of one call.")

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        needed = (
            "examplepay_api_base", "examplepay_api_key", "examplepay_webhook_secrets",
            "examplepay_account", "examplepay_livemode",
        )  # fmt: skip
        missing = [f"{PREFIX}{name}".upper() for name in needed if getattr(self, name) is None]
        if missing and self.model_fields_set:
            raise ValueError(f"set {', '.join(missing)} too, or nothing of ExamplePay")
        return self


class IngressSettings(Group):
    """The HTTP side."""

    ingress_host: str = Field("127.0.0.1", description="Address to listen on.")
    ingress_port: Port = Field(8080, description="Port to listen on.")
    ingress_url: HttpUrl = Field("http://127.0.0.1:8080", description="How clients reach it.")
    ingress_workers: int = Field(1, ge=1, le=64, description="uvicorn worker processes.")
    api_keys: Annotated[dict[str, str], NoDecode, BeforeValidator(_hashed_keys)] = Field(
        min_length=1, description="tenant:<SHA-256 of the key>, comma-separated."
    )
    publish_timeout_s: Seconds = Field(
        3.0, description="How long the broker may take before the answer is 503."
    )
    body_limit_bytes: int = Field(
        262_144, ge=1024, le=BODY_BYTES_MAX, description="Largest body; above it 413."
    )
    head_limit_bytes: int = Field(
        16_384,
        ge=1024,
        le=1_048_576,
        description="Most bytes of a request besides its body; above it 431.",
    )
    head_timeout_s: Seconds = Field(
        10.0, description="How long a client may take to send the head of a request."
    )
    body_timeout_s: Seconds = Field(
        10.0, description="How long a client may take to send the body after the head."
    )
    keep_alive_timeout_s: Seconds = Field(
        75.0, description="A connection without a request is closed after this."
    )
    response_timeout_s: Seconds = Field(
        30.0, description="How long a client may take to read an answer."
    )
    max_connections: int = Field(
        4096,
        ge=16,
        le=1_000_000,
        description="Most connections of a worker process, as far as the limit of open files "
        "allows; above it the one that waits longest for its client is closed.",
    )
    payment_expiry_s: Seconds = Field(
        86_400.0, description="A payment still waiting for its customer after this is cancelled."
    )
    default_provider: str = Field("stripe", description="The provider new payments go to.")


class StreamSettings(Group):
    """The stream processor."""

    data_dir: Path = Field(Path(".sandbox/stream"), description="RocksDB; one worker per folder.")
    batch_size: int = Field(1000, ge=1, le=20_000, description="Most records in one batch.")
    batch_wait_s: Seconds = Field(0.002, description="How long a lone record waits for company.")
    session_timeout_s: Seconds = Field(45.0, description="A silent worker is dead after this.")
    publish_deadline_s: Seconds = Field(
        30.0, description="After this without the brokers' word the worker restarts itself."
    )
    stall_timeout_s: Seconds = Field(
        60.0, description="A worker that has records and does nothing for this restarts itself."
    )
    dedup_retention_s: Seconds = Field(
        604_800.0, description="A silent payment leaves the changelog table after this (7 days)."
    )
    dedup_per_payment: int = Field(
        64, ge=8, le=256, description="Recent event IDs kept per payment in the changelog table."
    )
    standby_replicas: int = Field(
        0, ge=0, le=8, description="Other workers that keep a copy of each partition's table."
    )


class MetricsSettings(Group):
    """Where a background process serves /metrics, /healthz and /readyz."""

    metrics_host: str = Field("127.0.0.1", description="Address to listen on.")
    metrics_port: Port = Field(9100, description="Port to listen on.")


class WorkerSettings(Group):
    """Provider calls, router and reconciler."""

    call_concurrency: int = Field(16, ge=1, le=256, description="Calls to each provider at a time.")
    call_poll_s: Seconds = Field(0.05, description="How often due calls are looked for when idle.")
    call_lease_s: Seconds = Field(
        60.0, description="A call whose worker has died is due again after this."
    )
    call_deadline_s: Seconds = Field(
        120.0, description="One attempt may take this long, look-up included; then it is unknown."
    )
    call_backoff_base_s: Seconds = Field(0.5, description="First retry's longest wait.")
    call_backoff_max_s: Seconds = Field(300.0, description="Any retry's longest wait.")
    call_key_lifetime_s: Seconds = Field(
        72_000.0, description="After this an unknown outcome is looked up, not retried (20 h)."
    )
    breaker_failures: int = Field(10, ge=1, description="Failures in a row that open the breaker.")
    breaker_open_s: Seconds = Field(5.0, description="How long an open breaker waits.")
    reconcile_every_s: Seconds = Field(30.0, description="How often the provider is asked.")
    unfinished_after_s: Seconds = Field(
        120.0, description="A payment unfinished and silent for this long is looked up."
    )
    reconcile_page: int = Field(100, ge=1, le=1000, description="Payments per page of a sweep.")
    reconcile_per_s: float = Field(
        20.0, gt=0, description="Questions a sweep asks the provider per second, at most."
    )
    unrouted_max_age_s: Seconds = Field(
        259_200.0, description="A webhook without a known payment is a dead letter after this."
    )
    parked_max_age_s: Seconds = Field(
        2_592_000.0,
        description="An input whose payment never came is given up after this (30 days).",
    )
    history_retention_s: Seconds = Field(
        34_560_000.0,
        description="What became of an input is forgotten after this (400 days); payments stay.",
    )
    lag_every_s: Seconds = Field(
        15.0, description="How often it is measured how many records wait in the topics."
    )
    history_sweep_s: Seconds = Field(
        3_600.0, description="How often what is too old is looked for."
    )

    @model_validator(mode="after")
    def _waits_are_in_order(self) -> Self:
        if self.call_backoff_base_s > self.call_backoff_max_s:
            raise ValueError(
                "PAYMENTS_CALL_BACKOFF_BASE_S is above PAYMENTS_CALL_BACKOFF_MAX_S; lower it"
            )
        return self


GROUPS: Final[tuple[type[Group], ...]] = (
    KafkaSettings,
    DatabaseSettings,
    StripeAccountSettings,
    StripeSettings,
    StripeWebhookSettings,
    ExamplePaySettings,
    IngressSettings,
    StreamSettings,
    MetricsSettings,
    WorkerSettings,
)

G = TypeVar("G", bound=Group)


def variables() -> Iterator[tuple[str, type[Group], str]]:
    """Every variable: its name, its group, its field."""
    for group in GROUPS:
        for field in group.model_fields:
            yield f"{PREFIX}{field}".upper(), group, field


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Refuses a ``PAYMENTS_`` variable that no table knows: most likely it is misspelt.

    Those that Kubernetes sets for a Service are none of ours.

    Variables are read in any case, so they are looked at in any case.
    """
    known = {name for name, _, _ in variables()}
    unknown = sorted(
        name
        for name, value in environment.items()
        if (upper := name.upper()).startswith(PREFIX)
        and not is_set_for_a_service(name, value)
        and not upper.startswith(OWN_PREFIXES)
        and upper not in known
    )
    if unknown:
        raise SettingsError(f"unknown: {', '.join(unknown)}. docs/configuration.md lists all names")


def load(group: type[G]) -> G:
    """The group's settings from the environment. Raises SettingsError naming what is wrong."""
    refuse_unknown(os.environ)
    try:
        return group()
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            field = str(problem["loc"][0]) if problem["loc"] else ""
            if not field and PREFIX in problem["msg"]:  # it names the variables itself
                lines.append(problem["msg"].removeprefix("Value error, "))
                continue
            names = [field] if field else list(group.model_fields)
            shown = ", ".join(f"{PREFIX}{name}".upper() for name in names)
            meaning = " ".join(group.model_fields[n].description or "" for n in names)
            lines.append(f"{shown}: {problem['msg']}. {meaning}")
        raise SettingsError("\n".join(lines)) from None
