"""Wrong settings are refused at the start, by name and without their values."""

import pytest
from pydantic import SecretStr, ValidationError

from sandbox.stripe_simulator.__main__ import main
from sandbox.stripe_simulator.api.forms import decode_form
from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.faults import PRESETS, Faults
from sandbox.stripe_simulator.settings import PREFIX, SimulatorSettings, describe_refusal

WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"API_KEY": None}, "API_KEY"),
    ({"API_KEY": " "}, "API_KEY"),
    ({"PORT": "many"}, "PORT"),
    ({"WEBHOOK_URL": "http://127.0.0.1:1/hook"}, "WEBHOOK_SECRET"),
    ({"WEBHOOK_URL": "http://127.0.0.1:1/hook", "WEBHOOK_SECRET": ""}, "WEBHOOK_SECRET"),
    ({"FAULTS": "gentle"}, "FAULTS"),
    ({"FAULTS": '{"drop": 2}'}, "FAULTS (drop)"),
    ({"SEDE": "7"}, "SEDE"),
    ({"ACCOUNTS": "none"}, "ACCOUNTS"),
    ({"ACCOUNTS": '[{"id": "acct_a", "api_key": " "}]'}, "ACCOUNTS (0.api_key)"),
    ({"ACCOUNTS": '[{"id": "acct_a", "key": "k"}]'}, "ACCOUNTS (0.key)"),
    ({"CONNECTED_ACCOUNTS": '["shop"]'}, "CONNECTED_ACCOUNTS (0)"),
]
#: Accounts that can't be beside each other, and what names the problem.
APART: list[tuple[list[dict[str, object]], str]] = [
    ([{"id": "acct_sandbox", "api_key": "k"}], "acct_sandbox: it is there twice in test mode"),
    ([{"id": "acct_a", "api_key": "sk_test_secret"}], "acct_a: it has a key of acct_sandbox"),
    ([{"id": "acct_a"}], "acct_a: it has no api_key, and no platform"),
    ([{"id": "acct_a", "api_key": "k", "webhook_secrets": ["s"]}], "acct_a: webhook_url and"),
    ([{"id": "acct_a", "api_key": "k", "connected": ["acct_b"]}], "acct_b: it is connected, and"),
    (
        [
            {"id": "acct_a", "api_key": "k", "mode": "live", "connected": ["acct_b"]},
            {"id": "acct_b"},
        ],
        "acct_b: it is connected, and there is no such account in live mode",
    ),
]


@pytest.mark.parametrize(("change", "named"), WRONG)
def test_a_wrong_setting_prevents_the_start(
    change: dict[str, str | None],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The program ends with 2 and one line that names the setting."""
    for name, value in {"API_KEY": "sk_test_secret", **change}.items():
        if value is not None:
            monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert main() == 2
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert f"{PREFIX}{named}" in line
    assert "sk_test_secret" not in output.out + output.err


@pytest.mark.parametrize(("accounts", "named"), APART)
def test_accounts_that_cannot_be_beside_each_other_prevent_the_start(
    accounts: list[dict[str, object]], named: str
) -> None:
    """The error names the account, and no key."""
    with pytest.raises(ValidationError) as refused:
        SimulatorSettings(api_key=SecretStr("sk_test_secret"), accounts=accounts)
    (line,) = describe_refusal(refused.value)
    assert named in line
    assert "sk_test_secret" not in line


def test_faults_are_a_preset_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting takes a preset's name or JSON."""
    monkeypatch.setenv(f"{PREFIX}API_KEY", "sk_test_x")
    monkeypatch.setenv(f"{PREFIX}FAULTS", "rough")
    assert SimulatorSettings().faults == PRESETS["rough"]
    monkeypatch.setenv(f"{PREFIX}FAULTS", '{"drop": 0.5}')
    assert SimulatorSettings().faults == Faults(drop=0.5)


def test_the_hostile_preset_has_every_fault() -> None:
    """No fault is missing from the hostile preset."""
    probabilities = {name for name, value in Faults() if value == 0.0}
    assert all(getattr(PRESETS["hostile"], name) > 0 for name in probabilities)
    assert {name for name, value in PRESETS["none"] if name in probabilities and value} == set()


def test_a_form_is_decoded_as_stripe_does() -> None:
    """Names in brackets nest; numbers and empty brackets make lists, in order."""
    assert decode_form("a[b][c]=1&a[d]=2&l[1]=y&l[0]=x&m[]=p&m[]=q&e=") == {
        "a": {"b": {"c": "1"}, "d": "2"},
        "l": ["x", "y"],
        "m": ["p", "q"],
        "e": "",
    }


def test_chance_depends_on_seed_and_identity_alone() -> None:
    """A draw can be repeated; another seed or identity draws differently, evenly distributed."""
    chance = Chance("7")
    assert chance.unit("a", 1) == chance.unit("a", 1) != Chance("8").unit("a", 1)
    draws = [chance.unit("fault", number) for number in range(2000)]
    assert 0.47 < sum(draws) / len(draws) < 0.53
    assert abs(sum(chance.happens(0.1, "x", number) for number in range(2000)) - 200) < 50
