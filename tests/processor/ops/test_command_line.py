"""The command line: help starts nothing, and the exit code shows whether the command could run."""

import os
from collections.abc import Callable, Sequence
from functools import wraps

import psycopg
import pytest
import typer
from typer.core import TyperGroup, TyperOption

from cli.main import COMMANDS, COULD_NOT_RUN, main
from cli.programs import PROGRAMS
from runtime.restart import RESTART
from schemas.environment import PREFIX

OPERATORS: dict[str, list[str]] = {
    "audit": [], "rebuild": [], "replay": ["--list"], "dead-letters": [],
    "migrate": [], "topics": [], "accounts list": [], "accounts check": [],
    "accounts rotate": ["a", "--add", "env:A"],
    "accounts add": ["a", "--account", "acct_1", "--mode", "test"],
}  # fmt: skip
_ID = "is no payment ID: pay_ and 30 characters of a-z and 2-7"
_NUMBER = "should be a valid number"
_INTEGER = "should be a valid integer"
_WHEN = "is neither a duration (90s, 30m, 24h, 7d) nor a time with its offset from UTC"
_POSITION = "is not PARTITION:OFFSET, two numbers"
_REFERENCE = "write where the secret stands: env:NAME or file:/absolute/path"
#: What the error says of a wrong value of each option.
FORMS = {
    "audit --settle": _NUMBER, "audit --since": _WHEN, "audit --from": _ID,
    "audit --jobs": _INTEGER,
    "rebuild --payment": _ID, "rebuild --since": _WHEN, "rebuild --jobs": _INTEGER,
    "replay --payment": _ID, "replay --wait": _NUMBER,
    "dead-letters --show": _POSITION, "dead-letters --position": _POSITION,
    "accounts add --account": "the ID of an account has the form",
    "accounts add --mode": "is not one of",
    "accounts add --api-key": _REFERENCE, "accounts add --read-api-key": _REFERENCE,
    "accounts add --webhook-secret": _REFERENCE, "accounts add --notice-secret": _REFERENCE,
    "accounts add --requests-per-s": _NUMBER,
    "accounts add --platform": "a name is of a to z", "accounts rotate --add": _REFERENCE,
    "accounts rotate --remove": _REFERENCE,
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsets every setting."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def must_not_start() -> int:
    """Fails the test when it is started."""
    raise AssertionError("the program was started")


def with_signature_of(command: Callable[..., object]) -> Callable[..., int]:
    """Returns a command with the same options, which must not start either."""

    @wraps(command)
    def stand_in(**_: object) -> int:
        return must_not_start()

    return stand_in


@pytest.mark.parametrize("name", [*PROGRAMS, *COMMANDS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_program_has_help(capsys: pytest.CaptureFixture[str], name: str, option: str) -> None:
    """Help starts nothing and needs no setting."""
    commands = {command: with_signature_of(COMMANDS[command]) for command in COMMANDS}
    assert main([*name.split(), option], dict.fromkeys(PROGRAMS, must_not_start), commands) == 0
    assert f"Usage: payments {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["stream", "now"],
        ["worker", "--fast"],
        ["audit", "--x"],
        ["audit", "--settle", "soon"],
        ["audit", "--since", "yesterday"],
        *(["audit", "--settle", value] for value in ("nan", "inf", "1e18", "-5")),
        *(["replay", "--all", "--wait", value] for value in ("nan", "inf", "1e18", "-3")),
        ["rebuild", "--payment", "pay_1"],
        ["rebuild", "--again", "--since", "24h"],
        ["rebuild", "--payment", f"pay_{'a' * 30}", "--since", "24h"],
        *(["rebuild", "--since", value] for value in ("soon", "2026-01-01", "-1h", "99999999999d")),
        ["rebuild", "--jobs", "0"],
        ["dead-letters", "--again"],
        *(["dead-letters", "--show", value] for value in ("1_0:1", " 0:1", "-1:0", "\u0661:1")),
        ["replay"],
        ["replay", "--list", "--all"],
        ["dead-letters", "--show", "here"],
        ["dead-letters", "--replay"],
        ["dead-letters", "--position", "0:1"],
        ["dead-letters", "--replay", "--all", "--position", "0:1"],
        ["dead-letters", "--replay", "--all", "--show", "0:1"],
        ["accounts", "rotate", "second"],
        ["accounts", "rotate", "Second"],
        ["accounts", "add", "second", "--key", "env:A"],
        ["accounts", "remove"],
        ["nothing"],
    ],
)
def test_a_wrong_command_line_exits_with_two(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str]
) -> None:
    """This is the exit code of every command that could not run. It did not read its settings."""
    assert main(arguments, dict.fromkeys(PROGRAMS, must_not_start)) == COULD_NOT_RUN
    said = capsys.readouterr().err
    assert "Usage: payments" in said
    assert "PAYMENTS_" not in said
    options = [word for word in arguments if word.startswith("--")]
    assert not options or any(option in said for option in options)


def _options() -> dict[str, list[str]]:
    """The options of every operator's command that take a value."""
    app = typer.Typer()
    for name, command in COMMANDS.items():
        app.command(name)(command)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: [p.opts[0] for p in command.params if isinstance(p, TyperOption) and not p.is_flag]
        for name, command in group.commands.items()
    }


def test_every_option_with_a_value_has_a_form() -> None:
    """``FORMS`` has them all, so that the next test tries a new one too."""
    found = {f"{name} {option}" for name, options in _options().items() for option in options}
    assert found == FORMS.keys()


@pytest.mark.parametrize("value", ["Nonsense!", "", "0x10", "pay_1", "1:x"])
@pytest.mark.parametrize("option", FORMS)
def test_nonsense_is_refused_by_the_option_that_has_it(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    """The error names the option and the form of its value; nothing was started."""
    name, _, spelled = option.rpartition(" ")
    assert main([*name.split(), f"{spelled}={value}"], dict.fromkeys(PROGRAMS, must_not_start)) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"Invalid value for '{spelled}'" in said
    assert FORMS[option] in said


@pytest.mark.parametrize("name", [*OPERATORS, "ingress", "stream", "worker"])
def test_missing_settings_exit_with_two(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Exit code 1 is for a check that ran and found a problem."""
    assert main([*name.split(), *OPERATORS.get(name, [])]) == COULD_NOT_RUN
    assert "PAYMENTS_" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [KeyError("a defect"), psycopg.errors.InsufficientPrivilege("no"), MemoryError()]
)
def test_a_defect_of_a_command_exits_with_two(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The traceback is logged, and the exit code is not that of a violation."""

    def failing() -> int:
        raise error

    assert main(["audit"], commands={"audit": failing}) == COULD_NOT_RUN
    assert type(error).__name__ in caplog.text


def test_a_server_without_its_dependencies_exits_for_a_restart() -> None:
    """Its supervisor distinguishes an outage from wrong settings."""

    def unreachable() -> int:
        raise psycopg.OperationalError("unreachable")

    assert main(["worker"], {"worker": unreachable}) == RESTART
    assert main(["migrate"], {"migrate": unreachable}) == COULD_NOT_RUN
