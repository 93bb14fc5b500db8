"""The file of further provider accounts. What is wrong in it is named, with the fix."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.accounts.provider_accounts import BYTES_MAX, AccountFileError, read_accounts

ACCOUNT = {
    "provider": "stripe",
    "account": "acct_2",
    "mode": "test",
    "api_key": "env:SECOND_KEY",
    "webhook_secrets": ["env:SECOND_WEBHOOKS"],
}
CONNECTED = {"provider": "stripe", "account": "acct_3", "mode": "test", "platform": "second"}


def written(folder: Path, file: Any) -> Path:
    """Returns the path of a file with this content."""
    path = folder / "accounts.json"
    path.write_text(file if isinstance(file, str) else json.dumps(file))
    return path


def test_a_file_has_accounts_and_tenants(tmp_path: Path) -> None:
    """A tenant may use its default account and the others that it is allowed."""
    file = read_accounts(
        written(
            tmp_path,
            {
                "accounts": {"second": ACCOUNT, "shop": CONNECTED},
                "tenants": {"acme": {"default": "shop", "allowed": ["second"]}},
            },
        )
    )
    assert file.accounts["shop"].platform == "second"
    assert file.tenants["acme"].names == {"shop", "second"}


@pytest.mark.parametrize(
    ("accounts", "problem"),
    [
        ({"Second": ACCOUNT}, r"accounts\.Second"),
        ({"second": {**ACCOUNT, "mode": "sandbox"}}, r"accounts\.second\.mode"),
        ({"second": {**ACCOUNT, "api_key": "sk_test_12345678"}}, r"second\.api_key: .*env:NAME"),
        ({"second": {**ACCOUNT, "key": "env:A"}}, r"accounts\.second\.key"),
        ({"second": {**ACCOUNT, "api_key": None}}, "set api_key and webhook_secrets"),
        ({"second": {**ACCOUNT, "webhook_secrets": []}}, "set api_key and webhook_secrets"),
        ({"second": ACCOUNT, "shop": {**CONNECTED, "api_key": "env:A"}}, "no secrets of its own"),
        (
            {"second": ACCOUNT, "shop": {**CONNECTED, "webhook_secrets": ["env:A"]}},
            "no secrets of its own",
        ),
        ({"second": ACCOUNT, "shop": {**CONNECTED, "mode": "live"}}, "mode differ from its"),
        (
            {
                "second": ACCOUNT,
                "shop": CONNECTED,
                "other": {**CONNECTED, "account": "acct_4", "platform": "shop"},
            },
            "shop is no platform itself",
        ),
        (
            {"second": ACCOUNT, "shop": {**CONNECTED, "notice_secrets": ["env:A"]}},
            "no secrets of its own",
        ),
        ({"notices": ACCOUNT}, r"accounts\.notices: its path would be that of notices"),
        ({"second": ACCOUNT, "again": ACCOUNT}, "are one account"),
    ],
)
def test_a_wrong_account_is_named(tmp_path: Path, accounts: dict[str, Any], problem: str) -> None:
    """The error repeats no value: it may be a secret."""
    with pytest.raises(AccountFileError, match=problem) as refused:
        read_accounts(written(tmp_path, {"accounts": accounts}))
    assert "sk_test" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "no JSON", "[" * 100_000, '{"accounts": NaN, "a":', "\0"])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    """An error, not an empty file of accounts."""
    with pytest.raises(AccountFileError, match="no JSON"):
        read_accounts(written(tmp_path, text))


def test_a_missing_or_endless_file_is_refused(tmp_path: Path) -> None:
    """A program whose settings name a file does not start without it."""
    with pytest.raises(AccountFileError, match="can't be read: FileNotFoundError"):
        read_accounts(tmp_path / "none")
    with pytest.raises(AccountFileError, match="larger than"):
        read_accounts(written(tmp_path, " " * (BYTES_MAX + 1)))
