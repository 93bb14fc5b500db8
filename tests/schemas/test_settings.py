"""Settings: wrong, missing and misspelt ones are refused by name, and no secret is ever shown."""

import hashlib
import os
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from sandbox.settings import SandboxSettings
from sandbox.stripe_simulator.settings import SimulatorSettings
from schemas.settings import (
    GROUPS,
    PREFIX,
    DatabaseSettings,
    ExamplePaySettings,
    Group,
    IngressSettings,
    KafkaSettings,
    MetricsSettings,
    SettingsError,
    StreamSettings,
    StripeAccountSettings,
    StripeSettings,
    StripeWebhookSettings,
    WorkerSettings,
    load,
    variables,
)

HASH = hashlib.sha256(b"key of the shop").hexdigest()
OTHER_HASH = hashlib.sha256(b"another key").hexdigest()
#: The least that makes every group load.
ENOUGH = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "DATABASE_URL": "postgresql://payments:pw-of-the-database@127.0.0.1/payments",
    "STRIPE_API_KEY": "sk_test_secret_of_the_tests",
    "STRIPE_ACCOUNT": "acct_1",
    "STRIPE_LIVEMODE": "false",
    "STRIPE_WEBHOOK_SECRETS": "whsec_first_of_two,whsec_second_of_two",
    "API_KEYS": f"shop:{HASH}",
}
#: What must never be read in an error.
SECRETS = ("pw-of-the-database", "sk_test_secret", "whsec_first", "whsec_second", HASH)

every_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to start with, and nothing of the shell the tests were started in."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    for name, value in ENOUGH.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)


def refusal(group: type[Group]) -> str:
    """The text with which this group is refused, in which no secret stands."""
    with pytest.raises(SettingsError) as refused:
        load(group)
    text = str(refused.value)
    assert not any(secret in text for secret in SECRETS), text
    error = refused.value
    assert error.__cause__ is None  # the error behind it shows the values
    assert error.__context__ is None or error.__suppress_context__
    return text


@every_group
def test_every_group_loads_with_the_least(group: type[Group]) -> None:
    """Everything that is not required has a default that is right."""
    assert load(group)


@pytest.mark.parametrize("group", [*GROUPS, SandboxSettings, SimulatorSettings])
def test_every_variable_says_what_it_means(group: type[BaseSettings]) -> None:
    """One sentence for the page and for the refusal."""
    for name, field in group.model_fields.items():
        assert field.description, name


def test_a_variable_belongs_to_one_group() -> None:
    """No two groups read one name; all are known to the check for misspelt ones."""
    names = [name for name, _, _ in variables()]
    assert len(names) == len(set(names))
    assert {group for _, group, _ in variables()} == set(GROUPS)
    assert set(Group.__subclasses__()) == set(GROUPS)


def test_no_secret_has_a_default() -> None:
    """A secret is set, or what it is for is not used: there is none that everybody knows."""
    fields = [group.model_fields[field] for _, group, field in variables()]
    secrets = [field for field in fields if SecretStr.__name__ in str(field.annotation)]
    assert len(secrets) >= 3
    for field in secrets:
        assert field.default in {PydanticUndefined, None}
        assert field.default_factory is None


def test_what_there_must_be_is_required() -> None:
    """Without these no program that needs them starts; everything else may be left as it is."""
    names = [name for name, group, field in variables() if group.model_fields[field].is_required()]
    assert {name.removeprefix(PREFIX) for name in names} == set(ENOUGH)


@every_group
def test_no_secret_is_shown(group: type[Group]) -> None:
    """Neither as text nor for a debugger."""
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
    """With its meaning."""
    monkeypatch.delenv(f"{PREFIX}{name}")
    meaning = group.model_fields[name.lower()].description
    assert refusal(group) == f"{PREFIX}{name}: Field required. {meaning}"


WRONG: list[tuple[type[Group], str, str]] = [
    (KafkaSettings, "KAFKA_BOOTSTRAP", ""),
    (KafkaSettings, "PARTITIONS", "many"),
    (KafkaSettings, "PARTITIONS", "0"),
    (KafkaSettings, "PARTITIONS", "1.5"),
    (KafkaSettings, "REPLICATION_FACTOR", "10"),
    (DatabaseSettings, "DATABASE_URL", ""),
    (StripeSettings, "STRIPE_API_BASE", "api.stripe.com"),
    (StripeSettings, "STRIPE_API_BASE", "https://api.stripe.com/"),
    (StripeSettings, "STRIPE_API_KEY", ""),
    (StripeSettings, "STRIPE_API_KEY", "sk_test"),
    (StripeSettings, "STRIPE_TIMEOUT_S", "0"),
    (StripeAccountSettings, "STRIPE_ACCOUNT", ""),
    (StripeAccountSettings, "STRIPE_ACCOUNT", "demo"),
    (StripeAccountSettings, "STRIPE_LIVEMODE", "maybe"),
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
    (StreamSettings, "BATCH_SIZE", "0"),
    (StreamSettings, "DEDUP_PER_PAYMENT", "7"),
    (MetricsSettings, "METRICS_PORT", "-1"),
    (WorkerSettings, "CALL_CONCURRENCY", "0"),
    (WorkerSettings, "CALL_BACKOFF_BASE_S", "-0.5"),
    (WorkerSettings, "RECONCILE_PAGE", "ten"),
]


def test_every_group_can_be_wrong() -> None:
    """The list above leaves none out."""
    assert {group for group, _, _ in WRONG} == set(GROUPS)


@pytest.mark.parametrize(("group", "name", "value"), WRONG)
def test_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], name: str, value: str
) -> None:
    """The variable and what would be right; only this one, and one line."""
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    text = refusal(group)
    assert text.startswith(f"{PREFIX}{name}: ")
    assert text.endswith(str(group.model_fields[name.lower()].description))
    assert text.count(PREFIX) == 1


def test_half_a_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without a key would be noticed at the first payment; the rest is named."""
    monkeypatch.setenv(f"{PREFIX}EXAMPLEPAY_API_BASE", "https://examplepay.example")
    text = refusal(ExamplePaySettings)
    assert "PAYMENTS_EXAMPLEPAY_API_KEY" in text
    assert "PAYMENTS_EXAMPLEPAY_WEBHOOK_SECRETS" in text
    assert "PAYMENTS_EXAMPLEPAY_API_BASE" not in text


def test_everything_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, so that one more start is enough."""
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
    """Anybody could sign with it."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_WEBHOOK_SECRETS", value)
    assert "at least 8 characters" in refusal(StripeWebhookSettings)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks around an item are none of it; a tenant may have several keys."""
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
    """Whichever group is loaded: it would otherwise be a default nobody chose."""
    monkeypatch.setenv(name, "sk_test_secret_of_the_tests")
    assert name in refusal(group)


@pytest.mark.parametrize(
    "name",
    ["PAYMENTS_SANDBOX_KAFKA_PORT", "PAYMENTS_SIMULATOR_SEED", "PAYMENTS_TEST_PAYMENTS", "PATH_X"],
)
def test_others_variables_are_left_to_them(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The sandbox, the simulator and the tests check their own."""
    monkeypatch.setenv(name, "1")
    assert load(KafkaSettings).partitions == 4


@pytest.mark.parametrize("name", ["PAYMENTS_PARTITIONS", "payments_partitions"])
def test_a_variable_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As it is known in any case."""
    monkeypatch.setenv(name, "12")
    assert load(KafkaSettings).partitions == 12


@every_group
def test_settings_do_not_change(group: type[Group]) -> None:
    """What a program was started with is what it runs with."""
    settings: Any = load(group)
    name = next(iter(group.model_fields))
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, name, getattr(settings, name))
