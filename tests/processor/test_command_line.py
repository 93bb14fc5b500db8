"""The command line: help never starts anything, and the exit code says whether it could look."""

import os
from collections.abc import Sequence

import psycopg
import pytest

from ingress import __main__ as ingress
from processor import __main__ as program
from processor.__main__ import COULD_NOT_RUN, PROGRAMS, main
from processor.operate.commands import COMMANDS
from processor.restart import RESTART
from schemas.settings import PREFIX

OPERATORS: dict[str, list[str]] = {
    "audit": [], "rebuild": [], "replay": ["--list"], "dead-letters": [],
    "migrate": [], "topics": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings at all."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def never() -> int:
    """Is not to be started."""
    raise AssertionError("it was started")


@pytest.mark.parametrize("name", [*PROGRAMS, *COMMANDS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_program_says_what_it_is(
    capsys: pytest.CaptureFixture[str], name: str, option: str
) -> None:
    """And starts nothing, and needs no setting for it."""
    with pytest.raises(SystemExit) as end:
        main([name, option], dict.fromkeys(PROGRAMS, never))
    assert end.value.code == 0
    assert f"usage: payments {name}" in capsys.readouterr().out


def test_help_of_the_ingress_serves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where its settings are described."""
    monkeypatch.setattr(ingress, "load", lambda _group: never())
    with pytest.raises(SystemExit) as end:
        ingress.main(["--help"])
    assert end.value.code == 0
    assert "docs/configuration.md" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["stream", "now"], ["work", "--fast"], ["audit", "--x"]])
def test_a_wrong_command_line_is_two(arguments: Sequence[str]) -> None:
    """As every command's."""
    with pytest.raises(SystemExit) as end:
        main(arguments, dict.fromkeys(PROGRAMS, never))
    assert end.value.code == COULD_NOT_RUN


@pytest.mark.parametrize("name", [*OPERATORS, "stream", "work"])
def test_without_settings_nothing_was_found_out(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Two: one is for what was looked at and is not as it should be."""
    assert main([name, *OPERATORS.get(name, [])]) == COULD_NOT_RUN
    assert "PAYMENTS_" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [KeyError("a defect"), psycopg.errors.InsufficientPrivilege("no"), MemoryError()]
)
def test_a_defect_of_a_command_is_no_violation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The traceback is in the log, and the exit code says that nothing was found out."""

    def failing(*_: object) -> int:
        raise error

    monkeypatch.setattr(program, "COMMANDS", {"audit": failing})
    monkeypatch.setattr(program, "translators", dict)
    assert main(["audit"]) == COULD_NOT_RUN
    assert type(error).__name__ in caplog.text


def test_a_server_that_misses_what_it_needs_is_started_anew() -> None:
    """For its supervisor, an outage differs from wrong settings."""

    def away() -> int:
        raise psycopg.OperationalError("away")

    assert main(["work"], {"work": away}) == RESTART
    assert main(["migrate"], {"migrate": away}) == COULD_NOT_RUN
