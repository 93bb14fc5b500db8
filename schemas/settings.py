"""The settings of all processes, read from environment variables with the prefix ``PAYMENTS_``.

``load`` refuses wrong, missing and misspelt variables by name. No secret has a default. The
settings of the sandbox (``PAYMENTS_SANDBOX_*``) and the simulator (``PAYMENTS_SIMULATOR_*``) are
declared there.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, model_validator

from schemas.environment import PREFIX, Group, is_set_for_a_service
from schemas.groups.rate_settings import RateSettings
from schemas.groups.sweep_settings import SweepSettings
from schemas.postgres_url import checked
from schemas.settings_types import (
    DURATION_MAX_S,
    ApiKey,
    Brokers,
    HashedKeys,
    Host,
    HttpUrl,
    OptionalSecrets,
    OptionalStandardSecrets,
    Port,
    Seconds,
    Secrets,
)
from schemas.topics import BODY_BYTES_MAX

#: The form of an account's ID at Stripe.
ACCOUNT_ID: Final = "acct_[A-Za-z0-9]{1,64}"
OWN_PREFIXES: Final = ("PAYMENTS_SANDBOX_", "PAYMENTS_SIMULATOR_", "PAYMENTS_TEST_")


class SettingsError(Exception):
    """A variable is missing, wrong or unknown. The text names each one and the fix."""


class KafkaSettings(Group):
    """The brokers and the topics."""

    kafka_bootstrap: Brokers = Field(description="Brokers as host:port, comma-separated.")
    partitions: int = Field(
        4, ge=1, le=1024, description="Partitions of the co-partitioned topics."
    )
    replication_factor: int = Field(
        1, ge=1, le=9, description="Copies of each topic. 3 in production."
    )
    log_retention_s: float = Field(
        7_776_000.0,
        ge=1.0,
        le=DURATION_MAX_S,
        allow_inf_nan=False,
        description="Commands, webhooks and results leave their topics after this (90 days). No "
        "outage of the stream may last as long. `payments topics` applies it, but shortens no "
        "retention that is longer.",
    )


class DatabaseSettings(Group):
    """Postgres."""

    database_url: Annotated[SecretStr, AfterValidator(checked)] = Field(
        min_length=1, description="postgresql://user:password@host:port/name"
    )


class StripeAccountSettings(Group):
    """The Stripe account and its mode. Events of any other account or mode have no effect."""

    stripe_account: str = Field(
        pattern=f"^{ACCOUNT_ID}$", description="The account's ID, acct_...."
    )
    stripe_livemode: bool = Field(description="true: real money. false: test data.")


class AccountsSettings(Group):
    """Further provider accounts, besides those in the environment."""

    accounts_file: FilePath | None = Field(
        None,
        description="The file of further provider accounts (JSON). Programs read it again when it "
        "changes.",
    )


class StripeAddressSettings(Group):
    """The address of Stripe's API, or of the simulator."""

    stripe_api_base: HttpUrl = Field(
        "https://api.stripe.com", description="Address of Stripe's API."
    )


class StripeReadSettings(Group):
    """The ingress's own access to Stripe's API. Without a key no client secrets are served."""

    stripe_read_api_key: ApiKey | None = Field(
        None, description="A restricted key that can only read payment intents."
    )
    stripe_read_timeout_s: Seconds = Field(3.0, description="Deadline of reading a client secret.")
    stripe_read_concurrency: int = Field(4, ge=1, le=64, description="Most such reads at a time.")


class StripeSettings(Group):
    """The worker's access to Stripe's API."""

    stripe_api_key: ApiKey = Field(description="The secret API key.")
    stripe_timeout_s: Seconds = Field(20.0, description="Deadline of one request to the provider.")


class StripeWebhookSettings(Group):
    """Signatures of Stripe's webhooks."""

    stripe_webhook_secrets: Secrets = Field(
        description="Signing secrets of 8 characters or more, comma-separated. A webhook "
        "signed with any of them is accepted.",
    )
    stripe_notice_secrets: OptionalSecrets = Field(
        None,
        description="The same of the endpoint for thin events, with which Stripe reports events "
        "that it never made. Unset: there is no such endpoint.",
    )
    stripe_webhook_tolerance_s: int = Field(
        300, ge=1, le=3600, description="Most seconds between a signature's time and now."
    )


class ExamplePaySettings(Group):
    """ExamplePay, a second provider. Set address, key, secrets, account and mode, or none."""

    examplepay_api_base: HttpUrl | None = Field(
        None, description="Base address of ExamplePay's API."
    )
    examplepay_api_key: ApiKey | None = Field(None, description="The secret API key.")
    examplepay_webhook_secrets: OptionalStandardSecrets = Field(
        None,
        description="Signing secrets as whsec_<base64>, comma-separated. A webhook signed with "
        "any of them is accepted.",
    )
    examplepay_account: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")] | None = Field(
        None, description="Our merchant's name. Events of any other merchant have no effect."
    )
    examplepay_livemode: bool | None = Field(
        None, description="true: real money. false: trial data."
    )
    examplepay_webhook_tolerance_s: int = Field(
        300, ge=1, le=3600, description="Most seconds between a signature's time and now."
    )
    examplepay_timeout_s: Seconds = Field(
        20.0, description="Deadline of one request to the provider."
    )

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        needed = (
            "examplepay_api_base", "examplepay_api_key", "examplepay_webhook_secrets",
            "examplepay_account", "examplepay_livemode",
        )  # fmt: skip
        missing = [f"{PREFIX}{name}".upper() for name in needed if getattr(self, name) is None]
        if missing and self.model_fields_set:
            raise ValueError(f"set {', '.join(missing)} too, or no variable of ExamplePay")
        return self


class IngressSettings(Group):
    """The ingress, the HTTP program."""

    ingress_host: Host = Field("127.0.0.1", description="Address to listen on.")
    ingress_port: Port = Field(8080, description="Port to listen on.")
    ingress_url: HttpUrl = Field(
        "http://127.0.0.1:8080", description="The address at which clients reach the ingress."
    )
    ingress_workers: int = Field(1, ge=1, le=64, description="Worker processes.")
    api_keys: HashedKeys = Field(
        min_length=1, description="API keys as tenant:<SHA-256 of the key in hex>, comma-separated."
    )
    publish_timeout_s: Seconds = Field(
        3.0, description="Deadline of publishing a request to Kafka. After it the answer is 503."
    )
    publish_gather_s: float = Field(
        0.005,
        ge=0.005,
        le=1.0,
        allow_inf_nan=False,
        description="Longest wait of a record for others to be compressed with, where more than "
        "1,000 come a second. 0.02 makes webhooks a third smaller on their topic, and later.",
    )
    body_limit_bytes: int = Field(
        262_144,
        ge=1024,
        le=BODY_BYTES_MAX,
        description="Largest request body. A larger one is answered 413.",
    )
    head_limit_bytes: int = Field(
        16_384,
        ge=1024,
        le=1_048_576,
        description="Most bytes of a request besides its body. More are answered 431.",
    )
    head_timeout_s: Seconds = Field(
        10.0, description="Time a client has to send the head of a request."
    )
    body_timeout_s: Seconds = Field(
        10.0, description="Time a client has to send the body, after the head."
    )
    keep_alive_timeout_s: Seconds = Field(
        75.0, description="A connection without a request is closed after this time."
    )
    response_timeout_s: Seconds = Field(30.0, description="Time a client has to read an answer.")
    max_connections: int = Field(
        4096,
        ge=16,
        le=1_000_000,
        description="Most connections of a worker process, if the limit of open files allows. At "
        "the limit, the connection that has waited longest for its client is closed.",
    )
    payment_expiry_s: Seconds = Field(
        86_400.0,
        description="A payment that still waits for its customer is cancelled after this time.",
    )
    default_provider: str = Field("stripe", description="The provider of payments that name none.")


class StreamSettings(Group):
    """The stream, which decides."""

    data_dir: Path = Field(
        Path(".sandbox/stream"),
        description="Folder of the RocksDB tables. Each stream process needs its own.",
    )
    batch_size: int = Field(1000, ge=1, le=20_000, description="Most records in one batch.")
    batch_wait_s: Seconds = Field(
        0.002, description="Longest wait for more records before a batch is processed."
    )
    session_timeout_s: float = Field(
        45.0,
        gt=0,
        le=1_800,  # the brokers' own limit, unless they are configured otherwise
        allow_inf_nan=False,
        description="A stream process without heartbeats loses its partitions after this time.",
    )
    publish_deadline_s: Seconds = Field(
        30.0,
        description="The stream process restarts itself after this without acknowledgements.",
    )
    stall_timeout_s: Seconds = Field(
        60.0,
        description="The stream process restarts itself after this without progress.",
    )
    dedup_retention_s: Seconds = Field(
        604_800.0,
        description="A payment without events for this long leaves the dedup table (7 days).",
    )
    dedup_per_payment: int = Field(
        64, ge=8, le=256, description="Recent event IDs kept per payment in the dedup table."
    )
    standby_replicas: int = Field(
        0,
        ge=0,
        le=8,
        description="Other stream processes that keep a copy of each partition's table.",
    )


class MetricsSettings(Group):
    """The health server of a background process: /metrics, /healthz and /readyz."""

    metrics_host: Host = Field("127.0.0.1", description="Address to listen on.")
    metrics_port: Port = Field(9100, description="Port to listen on.")


class WorkerSettings(SweepSettings, Group):
    """The worker: dispatcher, router, reconciler and retention."""

    call_concurrency: int = Field(
        16,
        ge=1,
        le=256,
        description="Most concurrent calls to each provider. Of these, at most half are looked up.",
    )
    call_poll_s: Seconds = Field(
        0.05, description="How often an idle dispatcher looks for due calls."
    )
    call_lease_s: Seconds = Field(
        60.0, description="A call whose worker died is due again after this time."
    )
    call_deadline_s: Seconds = Field(
        120.0,
        description="Deadline of one attempt, look-up included. Then its outcome is unknown.",
    )
    call_backoff_base_s: Seconds = Field(0.5, description="Longest wait before the first retry.")
    call_backoff_max_s: Seconds = Field(300.0, description="Longest wait before any retry.")
    call_key_lifetime_s: Seconds = Field(
        72_000.0,
        description="After this an unknown outcome is looked up instead of retried (20 h).",
    )
    breaker_failures: int = Field(
        10, ge=1, description="Consecutive failures that open the circuit breaker."
    )
    breaker_open_s: Seconds = Field(5.0, description="How long the circuit breaker stays open.")
    unrouted_max_age_s: Seconds = Field(
        259_200.0,
        description="A webhook whose payment is still unknown ends as ignored after this (3 days).",
    )
    parked_max_age_s: Seconds = Field(
        604_800.0,
        description="A parked input whose payment never came is given up after this (7 days): a "
        "command is rejected, anything else ignored.",
    )
    history_retention_s: Seconds = Field(
        34_560_000.0,
        description="The history of inputs is deleted after this (400 days), inbox and duplicates "
        "by whole quarters of a year, if this is longer than one. Payments are kept. Not below "
        "the log's retention.",
    )
    lag_every_s: Seconds = Field(15.0, description="How often the consumer lag is measured.")
    history_sweep_s: Seconds = Field(
        3_600.0, description="How often the retention looks for old history."
    )

    @model_validator(mode="after")
    def _waits_are_in_order(self) -> Self:
        if self.call_backoff_base_s > self.call_backoff_max_s:
            raise ValueError(
                "PAYMENTS_CALL_BACKOFF_BASE_S is above PAYMENTS_CALL_BACKOFF_MAX_S; lower one"
            )
        return self


GROUPS: Final[tuple[type[Group], ...]] = (
    KafkaSettings,
    DatabaseSettings,
    AccountsSettings,
    StripeAccountSettings,
    StripeAddressSettings,
    StripeReadSettings,
    StripeSettings,
    StripeWebhookSettings,
    ExamplePaySettings,
    RateSettings,
    IngressSettings,
    StreamSettings,
    MetricsSettings,
    WorkerSettings,
)

G = TypeVar("G", bound=Group)


def variables() -> Iterator[tuple[str, type[Group], str]]:
    """Yields every variable: its name, its group, its field."""
    for group in GROUPS:
        for field in group.model_fields:
            yield f"{PREFIX}{field}".upper(), group, field


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raises SettingsError for an unknown ``PAYMENTS_`` variable, which is probably misspelt.

    Ignores variables that Kubernetes sets for a Service. Ignores case, as reading does.
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
    """Returns the group's settings from the environment. Raises SettingsError for wrong ones."""
    refuse_unknown(os.environ)
    try:
        return group()
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            field = str(problem["loc"][0]) if problem["loc"] else ""
            if not field and PREFIX in problem["msg"]:  # the text names the variables itself
                lines.append(problem["msg"].removeprefix("Value error, "))
                continue
            names = [field] if field else list(group.model_fields)
            shown = ", ".join(f"{PREFIX}{name}".upper() for name in names)
            meaning = " ".join(group.model_fields[n].description or "" for n in names)
            lines.append(f"{shown}: {problem['msg']}. {meaning}")
        raise SettingsError("\n".join(lines)) from None
