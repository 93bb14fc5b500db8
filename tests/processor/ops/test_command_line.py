"""The command line: help never starts anything, and the exit code says whether it could look."""

import os
from collections.abc import Callable, Sequence
from functools import wraps

import psycopg
import pytest

from cli.main import COMMANDS, COULD_NOT_RUN, main
from cli.programs import PROGRAMS
from runtime.restart import RESTART
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


def with_signature_of(command: Callable[..., object]) -> Callable[..., int]:
    """A command with the same options that is not to be started either."""

    @wraps(command)
    def stand_in(**_: object) -> int:
        return never()

    return stand_in


@pytest.mark.parametrize("name", [*PROGRAMS, *COMMANDS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_program_says_what_it_is(
    capsys: pytest.CaptureFixture[str], name: str, option: str
) -> None:
    """And starts nothing, and needs no setting for it."""
    commands = {command: with_signature_of(COMMANDS[command]) for command in COMMANDS}
    assert main([name, option], dict.fromkeys(PROGRAMS, never), commands) == 0
    assert f"Usage: payments {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["stream", "now"],
        ["worker", "--fast"],
        ["audit", "--x"],
        ["audit", "--settle", "soon"],
        ["replay"],
        ["replay", "--list", "--all"],
        ["dead-letters", "--show", "here"],
        ["dead-letters", "--replay"],
        ["dead-letters", "--position", "0:1"],
        ["dead-letters", "--replay", "--all", "--position", "0:1"],
        ["nothing"],
    ],
)
def test_a_wrong_command_line_is_two(arguments: Sequence[str]) -> None:
    """As every command's."""
    assert main(arguments, dict.fromkeys(PROGRAMS, never)) == COULD_NOT_RUN


@pytest.mark.parametrize("name", [*OPERATORS, "ingress", "stream", "worker"])
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
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The traceback is in the log, and the exit code says that nothing was found out."""

    def failing() -> int:
        raise error

    assert main(["audit"], commands={"audit": failing}) == COULD_NOT_RUN
    assert type(error).__name__ in caplog.text


def test_a_server_that_misses_what_it_needs_is_started_anew() -> None:
    """For its supervisor, an outage differs from wrong settings."""

    def away() -> int:
        raise psycopg.OperationalError("away")

    assert main(["worker"], {"worker": away}) == RESTART
    assert main(["migrate"], {"migrate": away}) == COULD_NOT_RUN
