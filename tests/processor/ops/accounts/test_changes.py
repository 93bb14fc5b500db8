"""``accounts``: what is shown of each account, and what is written to their file."""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from cli.main import COULD_NOT_RUN, main
from schemas.accounts.provider_accounts import read_accounts
from schemas.environment import PREFIX

SECRETS: Final = ("sk_test_1234567890", "whsec_1234567890", "rk_test_1234567890")
SECOND: Final = {
    "provider": "stripe",
    "account": "acct_2",
    "mode": "live",
    "api_key": "env:SECOND_KEY",
    "webhook_secrets": ["file:/run/secrets/second"],
}
SHOP: Final = {"provider": "stripe", "account": "acct_3", "mode": "live", "platform": "second"}
TENANTS: Final = {"acme": {"default": "shop", "allowed": ["second"]}}
FILE: Final[dict[str, Any]] = {"accounts": {"second": SECOND, "shop": SHOP}, "tenants": TENANTS}
THIRD: Final = ["--account", "acct_9", "--mode", "test", "--api-key", "env:K"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the environment, which has an account of its own."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(FILE))
    for name, value in {
        "STRIPE_ACCOUNT": "acct_1", "STRIPE_LIVEMODE": "false", "STRIPE_API_KEY": SECRETS[0],
        "STRIPE_WEBHOOK_SECRETS": SECRETS[1], "STRIPE_READ_API_KEY": SECRETS[2],
        "ACCOUNTS_FILE": str(path),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    return path


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("livemode", "mode"), [("true", "live"), ("false", "test")])
def test_the_list_has_the_settings_accounts_in_their_modes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    livemode: str,
    mode: str,
) -> None:
    """A second provider's too, and no key that is not set."""
    for name, value in {
        "STRIPE_LIVEMODE": livemode, "EXAMPLEPAY_ACCOUNT": "merchant-1",
        "EXAMPLEPAY_LIVEMODE": livemode, "EXAMPLEPAY_API_KEY": SECRETS[0],
        "EXAMPLEPAY_API_BASE": "https://api.examplepay.example",
        "EXAMPLEPAY_WEBHOOK_SECRETS": "whsec_dGhlIGZpcnN0IHNlY3JldCBvZiB0aGUgdGVzdCBraXQ=",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.delenv(f"{PREFIX}STRIPE_READ_API_KEY")
    assert main(["accounts", "list"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == (
        f"stripe  stripe  acct_1  {mode}  -  api_key=env:PAYMENTS_STRIPE_API_KEY "
        "webhook_secrets=env:PAYMENTS_STRIPE_WEBHOOK_SECRETS"
    )
    assert second == (
        f"examplepay  examplepay  merchant-1  {mode}  -  "
        "api_key=env:PAYMENTS_EXAMPLEPAY_API_KEY "
        "webhook_secrets=env:PAYMENTS_EXAMPLEPAY_WEBHOOK_SECRETS"
    )


@pytest.mark.usefixtures("path")
def test_the_list_has_every_account_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """The environment's is the first; a reference says where a secret stands."""
    assert main(["accounts", "list"]) == 0
    said = capsys.readouterr().out
    first, second, shop, acme, others = said.splitlines()
    assert first == (
        "stripe  stripe  acct_1  test  -  api_key=env:PAYMENTS_STRIPE_API_KEY "
        "read_api_key=env:PAYMENTS_STRIPE_READ_API_KEY "
        "webhook_secrets=env:PAYMENTS_STRIPE_WEBHOOK_SECRETS"
    )
    assert second == (
        "second  stripe  acct_2  live  -  api_key=env:SECOND_KEY "
        "webhook_secrets=file:/run/secrets/second"
    )
    assert shop == "shop  stripe  acct_3  live  second  -"
    assert acme == "tenant acme: shop (default), second"
    assert others == "every other tenant: stripe; the default is PAYMENTS_DEFAULT_PROVIDER"
    assert not any(secret in said for secret in SECRETS)


@pytest.mark.usefixtures("path")
def test_the_list_in_json_has_the_form_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """So it shows what the environment's account would be there."""
    assert main(["accounts", "list", "--json"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert list(found["accounts"]) == ["stripe", "second", "shop"]
    assert found["accounts"]["second"] == SECOND
    assert (found["tenants"], found["other_tenants"]) == (TENANTS, ["stripe"])
    assert not any(secret in text for secret in SECRETS)


def test_an_account_is_added_with_all_that_was_given(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing else."""
    options = ["--webhook-secret", "env:A", "--webhook-secret", "env:B", "--requests-per-s", "50"]
    others = ["--read-api-key", "env:R", "--notice-secret", "env:N"]
    assert main(["accounts", "add", "third", *THIRD, *options, *others]) == 0
    assert "third is added" in capsys.readouterr().out
    found = json.loads(path.read_text())
    assert found == {**FILE, "accounts": {**FILE["accounts"], "third": found["accounts"]["third"]}}
    assert found["accounts"]["third"] == {
        "provider": "stripe", "account": "acct_9", "mode": "test", "api_key": "env:K",
        "read_api_key": "env:R", "webhook_secrets": ["env:A", "env:B"], "requests_per_s": 50.0,
        "notice_secrets": ["env:N"],
    }  # fmt: skip


def test_a_connected_account_has_its_platforms_secrets(path: Path) -> None:
    """The environment's account may be the platform."""
    options = ["--account", "acct_4", "--mode", "test", "--platform", "stripe"]
    assert main(["accounts", "add", "own-shop", *options]) == 0
    assert read_accounts(path).accounts["own-shop"].platform == "stripe"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["second", *THIRD, "--webhook-secret", "env:A"], "accounts.second: there is an account"),
        (["stripe", *THIRD, "--webhook-secret", "env:A"], "the environment has an account"),
        (["third", *THIRD], "accounts.third: Value error, set api_key and webhook_secrets"),
        (["third", *THIRD, "--platform", "second"], "has no secrets of its own"),
        (
            ["third", "--account", "acct_1", "--mode", "test", "--api-key", "env:K",
             "--webhook-secret", "env:A"],
            "accounts.third: the environment has this account",
        ),
        (
            ["third", "--account", "acct_9", "--mode", "test", "--platform", "none"],
            "accounts.third.platform: there is no account none",
        ),
    ],
)  # fmt: skip
def test_an_account_that_cannot_be_is_not_added(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    """The error names the field, and the file stays as it was."""
    before = path.read_bytes()
    assert main(["accounts", "add", *arguments]) == COULD_NOT_RUN
    assert problem in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_secret_is_rotated_in_two_steps(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are valid in between; what stands in a variable may need a restart."""
    old, new = "file:/run/secrets/second", "env:NEW"

    def secrets() -> Any:
        return json.loads(path.read_text())["accounts"]["second"]["webhook_secrets"]

    assert main(["accounts", "rotate", "second", "--add", new]) == 0
    said = capsys.readouterr().out
    assert "running programs follow within a second" in said
    assert "env:NEW must be in their environment" in said
    assert secrets() == [old, new]
    assert main(["accounts", "rotate", "second", "--remove", old]) == 0
    assert secrets() == [new]
    assert main(["accounts", "rotate", "second", "--remove", new]) == COULD_NOT_RUN
    assert "accounts.second.webhook_secrets: no secret would be left" in capsys.readouterr().err
    assert secrets() == [new]


def test_the_secrets_of_notices_are_rotated_apart(path: Path) -> None:
    """They are of another endpoint. An account without any gets its first one so."""

    def secrets() -> Any:
        found = json.loads(path.read_text())["accounts"]["second"]
        return found["webhook_secrets"], found.get("notice_secrets")

    webhooks, _ = secrets()
    for change, left in (
        (["--add", "env:N"], ["env:N"]),
        (["--add", "env:M"], ["env:N", "env:M"]),
        (["--remove", "env:N"], ["env:M"]),
    ):
        assert main(["accounts", "rotate", "second", "--notices", *change]) == 0
        assert secrets() == (webhooks, left)


def test_a_tenant_of_an_account_that_does_not_exist_is_named_before_any_change(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole file is checked, as when a program starts."""
    tenants = {"acme": {"default": "none"}}
    path.write_text(json.dumps({**FILE, "tenants": tenants}))
    assert main(["accounts", "rotate", "second", "--add", "env:NEW"]) == COULD_NOT_RUN
    assert "tenants.acme: there is no account none" in capsys.readouterr().err


def test_without_a_file_the_setting_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment's account is shown all the same."""
    monkeypatch.delenv(f"{PREFIX}ACCOUNTS_FILE")
    assert main(["accounts", "list"]) == 0
    assert "every tenant: stripe" in capsys.readouterr().out
    assert main(["accounts", "rotate", "second", "--add", "env:NEW"]) == COULD_NOT_RUN
    assert "PAYMENTS_ACCOUNTS_FILE: set it" in capsys.readouterr().err
    assert json.loads(path.read_text()) == FILE
