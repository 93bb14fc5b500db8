"""Settings: errors name wrong, missing and misspelt variables and never show a secret."""

import hashlib
import os
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from sandbox.settings import SandboxSettings
from sandbox.stripe_simulator.settings import SimulatorSettings
from schemas.environment import PREFIX, Group
from schemas.groups.rate_settings import RateSettings
from schemas.settings import (
    GROUPS,
    AccountsSettings,
    DatabaseSettings,
    ExamplePaySettings,
    IngressSettings,
    KafkaSettings,
    MetricsSettings,
    SettingsError,
    StreamSettings,
    StripeAccountSettings,
    StripeAddressSettings,
    StripeReadSettings,
    StripeSettings,
    StripeWebhookSettings,
    WorkerSettings,
    load,
    variables,
)

HASH = hashlib.sha256(b"key of the shop").hexdigest()
OTHER_HASH = hashlib.sha256(b"another key").hexdigest()
#: The required variables of all groups.
REQUIRED = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "DATABASE_URL": "postgresql://payments:pw-of-the-database@127.0.0.1/payments",
    "STRIPE_API_KEY": "sk_test_secret_of_the_tests",
    "STRIPE_ACCOUNT": "acct_1",
    "STRIPE_LIVEMODE": "false",
    "STRIPE_WEBHOOK_SECRETS": "whsec_first_of_two,whsec_second_of_two",
    "API_KEYS": f"shop:{HASH}",
}
#: Secrets that must not appear in an error.
SECRETS = ("pw-of-the-database", "sk_test_secret", "whsec_first", "whsec_second", HASH)

every_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the required variables and removes those of the shell."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)


def refusal(group: type[Group]) -> str:
    """Returns the error text of a refused group, which must contain no secret."""
    with pytest.raises(SettingsError) as refused:
        load(group)
    text = str(refused.value)
    assert not any(secret in text for secret in SECRETS), text
    error = refused.value
    assert error.__cause__ is None  # the original error shows the values
    assert error.__context__ is None or error.__suppress_context__
    return text


@every_group
def test_every_group_loads_with_only_the_required_variables(group: type[Group]) -> None:
    """All other variables have valid defaults."""
    assert load(group)


@pytest.mark.parametrize("group", [*GROUPS, SandboxSettings, SimulatorSettings])
def test_every_variable_has_a_description(group: type[BaseSettings]) -> None:
    """The page of settings and error messages use it."""
    for name, field in group.model_fields.items():
        assert field.description, name


def test_a_variable_belongs_to_one_group() -> None:
    """No two groups read the same variable, and the check for misspelt variables knows all."""
    names = [name for name, _, _ in variables()]
    assert len(names) == len(set(names))
    assert {group for _, group, _ in variables()} == set(GROUPS)
    assert set(Group.__subclasses__()) == set(GROUPS)


def test_no_secret_has_a_default() -> None:
    """A default secret would be public."""
    fields = [group.model_fields[field] for _, group, field in variables()]
    secrets = [field for field in fields if SecretStr.__name__ in str(field.annotation)]
    assert len(secrets) >= 3
    for field in secrets:
        assert field.default in {PydanticUndefined, None}
        assert field.default_factory is None


def test_the_required_variables_are_these() -> None:
    """All other variables are optional."""
    names = [name for name, group, field in variables() if group.model_fields[field].is_required()]
    assert {name.removeprefix(PREFIX) for name in names} == set(REQUIRED)


@every_group
def test_no_secret_is_shown(group: type[Group]) -> None:
    """Neither ``str`` nor ``repr`` shows one."""
    shown = repr(load(group)) + str(load(group))
    assert not any(secret in shown for secret in SECRETS[:-1])


MISSING: list[tuple[type[Group], str]] = [
    (KafkaSettings, "KAFKA_BOOTSTRAP"),
    (DatabaseSettings, "DATABASE_URL"),
    (StripeSettings, "STRIPE_API_KEY"),
    (StripeAccountSettings, "STRIPE_ACCOUNT"),
    (StripeAccountSettings, "STRIPE_LIVEMODE"),
    (StripeWebhookSettings, "STRIPE_WEBHOOK_SECRETS"),
    (IngressSettings, "API_KEYS"),
]


@pytest.mark.parametrize(("group", "name"), MISSING)
def test_a_missing_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], name: str
) -> None:
    """The error includes its description."""
    monkeypatch.delenv(f"{PREFIX}{name}")
    meaning = group.model_fields[name.lower()].description
    assert refusal(group) == f"{PREFIX}{name}: Field required. {meaning}"


WRONG: list[tuple[type[Group], str, str]] = [
    *((AccountsSettings, "ACCOUNTS_FILE", value) for value in ("", "/", "/none/accounts.json")),
    *(
        (KafkaSettings, "KAFKA_BOOTSTRAP", value)
        for value in (
            "",
            " ",
            "localhost",
            "localhost:",
            "localhost:abc",
            "localhost:0",
            "localhost:65536",
            "kafka://localhost:9092",
            "::::",
            "::1:9092",
            "[::1]",
            "[x]:9092",
            ":9092",
            "a:1,",
            "a b:9092",
            "-a:9092",
            "999.1.1.1:9092",
            "a:1;b:2",
            "user@a:9092",
            "\u0131:9092",
            "a:\u0661",
        )
    ),
    (KafkaSettings, "PARTITIONS", "many"),
    (KafkaSettings, "PARTITIONS", "0"),
    (KafkaSettings, "PARTITIONS", "1.5"),
    (KafkaSettings, "REPLICATION_FACTOR", "10"),
    (DatabaseSettings, "DATABASE_URL", ""),
    (DatabaseSettings, "DATABASE_URL", "postgresql://payments@localhost:65536/payments"),
    (StripeAddressSettings, "STRIPE_API_BASE", "api.stripe.com"),
    (StripeAddressSettings, "STRIPE_API_BASE", "https://api.stripe.com/"),
    (StripeAddressSettings, "STRIPE_API_BASE", "https://api.stripe.com:abc"),
    (StripeAddressSettings, "STRIPE_API_BASE", "https://:443"),
    (StripeAddressSettings, "STRIPE_API_BASE", "https://[::1"),
    (StripeReadSettings, "STRIPE_READ_API_KEY", "rk_test"),
    (StripeReadSettings, "STRIPE_READ_TIMEOUT_S", "0"),
    (StripeReadSettings, "STRIPE_READ_CONCURRENCY", "0"),
    (StripeSettings, "STRIPE_API_KEY", ""),
    (StripeSettings, "STRIPE_API_KEY", "sk_test"),
    (StripeSettings, "STRIPE_TIMEOUT_S", "0"),
    (StripeAccountSettings, "STRIPE_ACCOUNT", ""),
    (StripeAccountSettings, "STRIPE_ACCOUNT", "demo"),
    (StripeAccountSettings, "STRIPE_LIVEMODE", "maybe"),
    (RateSettings, "STRIPE_REQUESTS_PER_S", "0"),
    (RateSettings, "STRIPE_REQUESTS_PER_S", "4.9"),
    (RateSettings, "STRIPE_REQUESTS_PER_S", "inf"),
    (RateSettings, "STRIPE_ENDPOINT_REQUESTS_PER_S", "4.9"),
    (RateSettings, "EXAMPLEPAY_REQUESTS_PER_S", "many"),
    (StripeWebhookSettings, "STRIPE_WEBHOOK_TOLERANCE_S", "0"),
    (StripeWebhookSettings, "STRIPE_WEBHOOK_TOLERANCE_S", "86400"),
    (ExamplePaySettings, "EXAMPLEPAY_API_BASE", "examplepay"),
    (ExamplePaySettings, "EXAMPLEPAY_API_KEY", "short"),
    (ExamplePaySettings, "EXAMPLEPAY_WEBHOOK_TOLERANCE_S", "0"),
    (IngressSettings, "API_KEYS", ""),
    (IngressSettings, "API_KEYS", "shop:key-of-the-shop"),
    (IngressSettings, "API_KEYS", f"shop:{HASH.upper()}"),
    (IngressSettings, "API_KEYS", f":{HASH}"),
    (IngressSettings, "API_KEYS", f"shop:{HASH},"),
    (IngressSettings, "API_KEYS", f"shop:{HASH},globex:{HASH}"),
    (IngressSettings, "INGRESS_PORT", "65536"),
    (IngressSettings, "INGRESS_URL", "localhost"),
    (IngressSettings, "INGRESS_HOST", ""),
    (IngressSettings, "INGRESS_HOST", "localhost:8080"),
    (IngressSettings, "INGRESS_HOST", "999.1.1.1"),
    (IngressSettings, "PAYMENT_EXPIRY_S", "1e13"),
    (StreamSettings, "SESSION_TIMEOUT_S", "1801"),
    (MetricsSettings, "METRICS_HOST", "http://localhost"),
    (WorkerSettings, "PARKED_MAX_AGE_S", "1e15"),
    (WorkerSettings, "HISTORY_RETENTION_S", "1e12"),
    (StreamSettings, "BATCH_SIZE", "0"),
    (IngressSettings, "BODY_LIMIT_BYTES", "1000001"),
    (StreamSettings, "DEDUP_PER_PAYMENT", "7"),
    (StreamSettings, "DEDUP_PER_PAYMENT", "257"),
    (MetricsSettings, "METRICS_PORT", "-1"),
    (WorkerSettings, "CALL_CONCURRENCY", "0"),
    (WorkerSettings, "CALL_BACKOFF_BASE_S", "-0.5"),
    (WorkerSettings, "RECONCILE_PAGE", "ten"),
]


def test_the_wrong_values_cover_every_group() -> None:
    """The list above has at least one for each group."""
    assert {group for group, _, _ in WRONG} == set(GROUPS)


@pytest.mark.parametrize(("group", "name", "value"), WRONG)
def test_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], name: str, value: str
) -> None:
    """The error names only this variable and includes its description."""
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    text = refusal(group)
    assert text.startswith(f"{PREFIX}{name}: ")
    assert text.endswith(str(group.model_fields[name.lower()].description))
    assert text.count(PREFIX) == 1


NUMBERS = [
    (group, field)
    for _, group, field in variables()
    if group.model_fields[field].annotation is float
]


@pytest.mark.parametrize(("group", "field"), NUMBERS, ids=[field for _, field in NUMBERS])
def test_no_number_is_beyond_what_can_be_computed_with(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], field: str
) -> None:
    """Otherwise the program would start, and fail when it first adds the duration to a time."""
    assert len(NUMBERS) > 25
    for value in ("nan", "inf", "-inf", "1e300", "0", "-1", "1e10"):
        monkeypatch.setenv(f"{PREFIX}{field}".upper(), value)
        assert refusal(group).startswith(f"{PREFIX}{field}: ".upper()), value


@pytest.mark.parametrize(
    "value",
    [
        "localhost:9092",
        "10.0.0.1:1",
        "kafka-1.svc.cluster.local.:65535",
        "[::1]:9092",
        "my_kafka:9092",
    ],
)
def test_brokers_are_names_or_addresses_with_ports(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Blanks around one are ignored."""
    monkeypatch.setenv(f"{PREFIX}KAFKA_BOOTSTRAP", f" {value} , b:2")
    assert load(KafkaSettings).kafka_bootstrap == f"{value},b:2"


@pytest.mark.parametrize("value", ["0.0.0.0", "::", "::1", "localhost", "payments-ingress"])
def test_a_host_is_a_name_or_an_address(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Whether it is this machine's is known when the program listens."""
    monkeypatch.setenv(f"{PREFIX}METRICS_HOST", value)
    assert load(MetricsSettings).metrics_host == value


def test_half_a_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing variables; otherwise only the first payment would fail."""
    monkeypatch.setenv(f"{PREFIX}EXAMPLEPAY_API_BASE", "https://examplepay.example")
    text = refusal(ExamplePaySettings)
    assert "PAYMENTS_EXAMPLEPAY_API_KEY" in text
    assert "PAYMENTS_EXAMPLEPAY_WEBHOOK_SECRETS" in text
    assert "PAYMENTS_EXAMPLEPAY_API_BASE" not in text


@pytest.mark.parametrize("name", ["API_BASE", "API_KEY", "WEBHOOK_SECRETS", "ACCOUNT", "LIVEMODE"])
def test_a_provider_without_one_of_its_settings_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without account and mode, events of another merchant or of trial data would count."""
    for other, value in {
        "API_BASE": "https://examplepay.example", "API_KEY": "exp_test_of_the_tests",
        "WEBHOOK_SECRETS": "whsec_" + "A" * 32, "ACCOUNT": "shop", "LIVEMODE": "false",
    }.items():  # fmt: skip
        if other != name:
            monkeypatch.setenv(f"{PREFIX}EXAMPLEPAY_{other}", value)
    assert f"set PAYMENTS_EXAMPLEPAY_{name} too" in refusal(ExamplePaySettings)


def test_the_first_wait_is_not_above_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both variables. Equal ones are accepted."""
    monkeypatch.setenv(f"{PREFIX}CALL_BACKOFF_MAX_S", "10")
    monkeypatch.setenv(f"{PREFIX}CALL_BACKOFF_BASE_S", "10")
    assert load(WorkerSettings).call_backoff_base_s == 10
    monkeypatch.setenv(f"{PREFIX}CALL_BACKOFF_BASE_S", "10.5")
    text = refusal(WorkerSettings)
    assert "PAYMENTS_CALL_BACKOFF_BASE_S is above PAYMENTS_CALL_BACKOFF_MAX_S" in text


def test_all_errors_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each error has its own line."""
    monkeypatch.setenv(f"{PREFIX}PARTITIONS", "many")
    monkeypatch.delenv(f"{PREFIX}KAFKA_BOOTSTRAP")
    assert [line.partition(":")[0] for line in refusal(KafkaSettings).splitlines()] == [
        "PAYMENTS_KAFKA_BOOTSTRAP",
        "PAYMENTS_PARTITIONS",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ",",
        "whsec_first_of_two,",
        ",whsec_first_of_two",
        "        ",
        "whsec_first_of_two, ,",
    ],
)
def test_an_empty_webhook_secret_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Anyone could sign with it."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_WEBHOOK_SECRETS", value)
    assert "at least 8 characters" in refusal(StripeWebhookSettings)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces around an item are ignored; a tenant may have several keys."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_WEBHOOK_SECRETS", " whsec_first_of_two , whsec_b_of_two")
    secrets = load(StripeWebhookSettings).stripe_webhook_secrets
    assert [s.get_secret_value() for s in secrets] == ["whsec_first_of_two", "whsec_b_of_two"]
    monkeypatch.setenv(f"{PREFIX}API_KEYS", f"shop:{HASH}, shop:{OTHER_HASH}")
    assert load(IngressSettings).api_keys == {HASH: "shop", OTHER_HASH: "shop"}


@every_group
@pytest.mark.parametrize(
    "name", ["PAYMENTS_PARTITION", "PAYMENTS_KAFKA_BOOTSTRAPS", "payments_batchsize", "Payments_X"]
)
def test_a_misspelt_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], name: str
) -> None:
    """Every group refuses it; otherwise the intended variable would silently keep its default."""
    monkeypatch.setenv(name, "sk_test_secret_of_the_tests")
    assert name in refusal(group)


@pytest.mark.parametrize(
    "name",
    ["PAYMENTS_SANDBOX_KAFKA_PORT", "PAYMENTS_SIMULATOR_SEED", "PAYMENTS_TEST_PAYMENTS", "PATH_X"],
)
def test_variables_of_other_tools_are_ignored(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The sandbox, the simulator and the tests check their own variables."""
    monkeypatch.setenv(name, "1")
    assert load(KafkaSettings).partitions == 4


@pytest.mark.parametrize("name", ["PAYMENTS_PARTITIONS", "payments_partitions"])
def test_a_variable_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The check for misspelt variables ignores case too."""
    monkeypatch.setenv(name, "12")
    assert load(KafkaSettings).partitions == 12


@every_group
def test_settings_are_immutable(group: type[Group]) -> None:
    """A program can't change its settings after start-up."""
    settings: Any = load(group)
    name = next(iter(group.model_fields))
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, name, getattr(settings, name))
