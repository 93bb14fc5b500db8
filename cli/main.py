"""``payments``: the console script for every program and every operator's command."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, NoReturn

import psycopg
import typer
from aiokafka.errors import KafkaError

from cli.account_check import check_accounts
from cli.accounts import add_account, list_accounts, rotate_secrets
from cli.checks import audit
from cli.dead_letters import dead_letters
from cli.programs import PROGRAMS, SERVERS, Programs
from cli.rebuild import rebuild
from cli.replay import replay
from ports.errors import LoopFailedError, ProcessorError
from ports.failures import RETRYABLE_AT_START
from ports.texts import printable
from postgres.migrate import MigrationError
from runtime import logs
from runtime.restart import RESTART
from schemas.settings import SettingsError

log = logs.get_logger("payments")

#: Exit code: nothing was checked or done. Wrong usage or settings, an outage, or our own defect.
COULD_NOT_RUN: Final = 2
Commands = Mapping[str, Callable[..., int | None]]
#: What operators run by hand or from a scheduler.
COMMANDS: Final[Commands] = {
    "audit": audit,
    "rebuild": rebuild,
    "replay": replay,
    "dead-letters": dead_letters,
    "accounts list": list_accounts,
    "accounts add": add_account,
    "accounts rotate": rotate_secrets,
    "accounts check": check_accounts,
}
#: What is said of the commands whose names have the same first word.
GROUPS: Final[Mapping[str, str]] = {
    "accounts": "Shows the provider accounts, and changes the file of further ones.",
}
ABOUT: Final = """
Runs and operates the payment orchestration service.

Set up Kafka and Postgres with `topics` and `migrate`, then run `ingress`, `stream` and `worker`.
Check the running system with `audit`. Release quarantined payments with `replay`, and send
undecodable records again with `dead-letters`. Show and change the accounts at providers with
`accounts`. Each command has its own `--help`.

Settings are environment variables named PAYMENTS_*; see docs/configuration.md.
Results go to standard output, logs and errors to standard error.

Exit codes:

0: success.
1: a check found something, or not everything requested was done.
2: the command could not run (usage, settings, an outage, a defect); nothing was checked.
75: the program must be restarted, usually after an outage.
130: the command was interrupted; `audit` shows what it found, and both it and `rebuild` can go on.
"""


def main(
    arguments: Sequence[str] | None = None,
    programs: Programs = PROGRAMS,
    commands: Commands = COMMANDS,
) -> int:
    """Runs a program or a command. Wrong settings and outages are reported on one line.

    Args:
        arguments: the command line; None: that of the process.
        programs: the programs, by name.
        commands: the operators' commands, by name; one with two words is of the first one's group.

    Returns:
        The exit code.
    """
    app = typer.Typer(
        name="payments",
        help=ABOUT,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    setup = {name: call for name, call in programs.items() if name not in SERVERS}
    servers = {name: call for name, call in programs.items() if name in SERVERS}
    groups: dict[str, typer.Typer] = {}
    panels = (("Set-up", setup), ("Programs", servers), ("Operators' commands", commands))
    for panel, table in panels:
        for name, function in table.items():
            first, _, second = name.partition(" ")
            if not second:
                app.command(name, rich_help_panel=panel)(_guarded(name, function))
                continue
            if first not in groups:
                groups[first] = typer.Typer(help=GROUPS[first], no_args_is_help=True)
                app.add_typer(groups[first], name=first, rich_help_panel=panel)
            groups[first].command(second)(_guarded(name, function))
    try:
        app(args=None if arguments is None else list(arguments), prog_name="payments")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def run(arguments: Sequence[str] | None = None, programs: Programs = PROGRAMS) -> NoReturn:
    """The console script: configures logging and exits with the code of ``main``."""
    logs.configure()
    sys.exit(main(arguments, programs))


def _guarded(name: str, function: Callable[..., int | None]) -> Callable[..., None]:
    """Returns the function as a command that always ends with an exit code."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        raise typer.Exit(_exit_code(name, lambda: function(*args, **kwargs)))

    return command


def _exit_code(name: str, call: Callable[[], int | None]) -> int:
    """Runs the call. Returns its exit code, or that of its error."""
    try:
        return call() or 0
    except LoopFailedError:
        log.exception("program.failed", command=name, note="must be restarted")
        return RESTART
    except (*RETRYABLE_AT_START, SettingsError, ProcessorError, MigrationError) as error:
        source = "Postgres: " if isinstance(error, psycopg.OperationalError) else ""
        source = "Kafka: " if isinstance(error, KafkaError) else source
        reason = str(error) or type(error).__name__
        text = f"payments {name}: {source}{reason}"
        print(printable(text, keep="\n"), file=sys.stderr)  # noqa: T201  # for the operator
        restart = name in SERVERS and isinstance(error, RETRYABLE_AT_START)
        return RESTART if restart else COULD_NOT_RUN
    except typer.BadParameter:
        raise
    except Exception:
        if name in SERVERS:
            raise
        log.exception("command.failed", command=name)
        return COULD_NOT_RUN
