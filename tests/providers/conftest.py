"""A file of accounts for the tests that ask for it."""

import os
from pathlib import Path

import pytest

from schemas.environment import PREFIX
from tests.providers.file_of_accounts import NEW, OLD, File
from tests.providers.test_registry import FIRST


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    """A file with a second account, which is a platform, and connected accounts of both."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    (tmp_path / "old").write_text(OLD)
    (tmp_path / "new").write_text(NEW)
    made = File(tmp_path)
    values = {**FIRST, "ACCOUNTS_FILE": str(made.path)}
    for name, value in values.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.setenv("SECOND_KEY", "sk_live_of_the_second")
    return made


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock with which files are looked at; a test appends to it."""
    at = [0.0]
    monkeypatch.setattr("providers.reloading.Reloading.__init__.__defaults__", (lambda: at[-1],))
    return at
