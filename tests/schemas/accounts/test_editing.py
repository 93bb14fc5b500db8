"""Changes of the file of accounts: whole or not at all, and the rest stays as it was written."""

import json
import os
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.accounts.editing import Document, rewrite, with_account, with_secrets
from schemas.accounts.provider_accounts import (
    BYTES_MAX,
    AccountFile,
    AccountFileError,
    read_accounts,
)

ACCOUNT: Final[dict[str, Any]] = {
    "webhook_secrets": ["env:OLD"],
    "provider": "stripe",
    "account": "acct_2",
    "mode": "test",
    "api_key": "env:SECOND_KEY",
}
SHOP: Final = {"provider": "stripe", "account": "acct_3", "mode": "test", "platform": "second"}
#: Tenants come first, as no model has them: what a person wrote stays where it was.
FILE: Final[dict[str, Any]] = {
    "tenants": {"züri": {"default": "second"}},
    "accounts": {"second": ACCOUNT, "shop": SHOP},
}


def unchecked(_: AccountFile) -> None:
    """Finds nothing wrong."""


def unchanged(document: Document) -> Document:
    """Changes nothing."""
    return document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file, in a form of its own."""
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(FILE, ensure_ascii=False), encoding="utf-8")
    return path


def secrets_of(document: Document) -> list[str]:
    """The references of the account's webhook secrets."""
    return list(document["accounts"]["second"]["webhook_secrets"])


def test_an_account_is_added_at_the_end_and_an_existing_one_is_never_changed() -> None:
    """Also to a file that has none yet."""
    third = {**ACCOUNT, "account": "acct_9"}
    assert list(with_account(FILE, "third", third)["accounts"]) == ["second", "shop", "third"]
    assert with_account({}, "third", third) == {"accounts": {"third": third}}
    with pytest.raises(AccountFileError, match=r"accounts\.second: there is an account"):
        with_account(FILE, "second", third)


@pytest.mark.parametrize(
    ("added", "removed", "left"),
    [
        (["env:NEW"], [], ["env:OLD", "env:NEW"]),
        (["env:NEW"], ["env:OLD"], ["env:NEW"]),
        (["env:A", "env:B"], ["env:A"], ["env:OLD", "env:B"]),
    ],
)
def test_secrets_are_added_and_removed(
    added: list[str], removed: list[str], left: list[str]
) -> None:
    """What was given is not changed."""
    assert secrets_of(with_secrets(FILE, "second", added, removed)) == left
    assert secrets_of(FILE) == ["env:OLD"]


@pytest.mark.parametrize(
    ("name", "added", "removed", "problem"),
    [
        ("second", [], ["env:OLD"], "no secret would be left: add the new one first"),
        ("second", ["env:OLD"], [], "env:OLD is there already"),
        ("second", [], ["sk_test_12345678"], "what to remove is none of env:OLD"),
        ("shop", ["env:NEW"], [], "none of its own: rotate those of second"),
        ("third", ["env:NEW"], [], "no such account; it has: second, shop"),
    ],
)
def test_what_cannot_be_changed_is_named(
    name: str, added: list[str], removed: list[str], problem: str
) -> None:
    """The error does not repeat what may be a secret."""
    with pytest.raises(AccountFileError, match=problem) as refused:
        with_secrets(FILE, name, added, removed)
    assert str(refused.value).startswith(f"accounts.{name}")
    assert "sk_test" not in str(refused.value)


def test_the_file_is_replaced_as_a_whole(path: Path) -> None:
    """Its order and its mode stay; nothing is left beside it."""
    path.chmod(0o640)
    before = path.stat()
    rewrite(path, lambda found: with_secrets(found, "second", ["env:NEW"], []), unchecked)
    second = {**ACCOUNT, "webhook_secrets": ["env:OLD", "env:NEW"]}
    written = {**FILE, "accounts": {"second": second, "shop": SHOP}}
    assert path.read_text("utf-8") == json.dumps(written, indent=2, ensure_ascii=False) + "\n"
    assert read_accounts(path).accounts["second"].webhook_secrets == ("env:OLD", "env:NEW")
    after = path.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert after.st_ino != before.st_ino
    assert list(path.parent.iterdir()) == [path]


def test_the_file_stays_with_its_owner(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs run as another user than the one who changes it, such as root."""
    given: list[tuple[int, int]] = []
    before = path.stat()
    monkeypatch.setattr(os, "geteuid", lambda: before.st_uid + 1)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given.append((user, group)))
    rewrite(path, unchanged, unchecked)
    assert given == [(before.st_uid, before.st_gid)]


def test_a_file_that_would_be_too_large_to_be_read_is_not_written(path: Path) -> None:
    """It is measured as it is written, which takes more room than it may have had before."""
    tenants = {f"tenant-{n}": {"default": "second"} for n in range(20_000)}
    path.write_text(json.dumps({**FILE, "tenants": tenants}, separators=(",", ":")))
    before = path.read_bytes()
    assert len(before) < BYTES_MAX
    with pytest.raises(AccountFileError, match=f"it would be larger than {BYTES_MAX} bytes"):
        rewrite(path, unchanged, unchecked)
    assert path.read_bytes() == before


def test_what_a_link_points_to_is_replaced(path: Path) -> None:
    """The link stays one."""
    link = path.with_name("link.json")
    link.symlink_to(path)
    rewrite(link, lambda found: with_secrets(found, "second", ["env:NEW"], []), unchecked)
    assert link.is_symlink()
    assert len(read_accounts(path).accounts["second"].webhook_secrets) == 2


@pytest.mark.parametrize("wrong", [{**ACCOUNT, "mode": "sandbox"}, ACCOUNT])
def test_a_change_that_makes_the_file_wrong_is_not_written(
    path: Path, wrong: dict[str, Any]
) -> None:
    """The whole file is checked, not the new account alone: this one is there twice."""
    before = path.read_bytes()
    with pytest.raises(AccountFileError, match=r"accounts"):
        rewrite(path, lambda found: with_account(found, "third", wrong), unchecked)
    assert path.read_bytes() == before


def test_what_a_check_refuses_is_not_written(path: Path) -> None:
    """Its error is raised as it is."""
    before = path.read_bytes()

    def refusing(_: AccountFile) -> None:
        raise LookupError("refused")

    with pytest.raises(LookupError, match="refused"):
        rewrite(path, lambda found: with_secrets(found, "second", ["env:NEW"], []), refusing)
    assert path.read_bytes() == before


def test_a_file_that_is_wrong_is_not_changed(path: Path) -> None:
    """What is wrong is named as when a program reads it."""
    path.write_text('{"accounts": []}')
    with pytest.raises(AccountFileError, match=r"accounts: Input should be"):
        rewrite(path, unchanged, unchecked)


def test_a_failed_write_leaves_the_file_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, for example."""
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("schemas.accounts.editing.os.fsync", full)
    with pytest.raises(AccountFileError, match=r"can't be written: No space left on device"):
        rewrite(path, unchanged, unchecked)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_two_changes_at_a_time_are_both_written(path: Path) -> None:
    """The second one reads what the first one wrote."""
    begun, names = threading.Barrier(4), ("A", "B", "C", "D")

    def change(name: str) -> None:
        begun.wait()
        rewrite(path, lambda found: with_secrets(found, "second", [f"env:{name}"], []), unchecked)

    threads = [threading.Thread(target=change, args=(name,)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = read_accounts(path).accounts["second"].webhook_secrets
    assert set(found) == {"env:OLD", *(f"env:{name}" for name in names)}
