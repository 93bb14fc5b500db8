"""``payments``: one console script for every program and every operator's command.

Exit codes: 0 all is well; 1 something is not as it should be; 2 it could not be run, so nothing was
found out; 75 a server is to be started again.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, NoReturn

import psycopg
import typer
from aiokafka.errors import KafkaError

from cli.checks import audit, rebuild
from cli.dead_letters import dead_letters
from cli.programs import PROGRAMS, SERVERS, Programs
from cli.replay import replay
from ports.errors import LoopFailedError, ProcessorError
from ports.failures import RETRYABLE_AT_START
from postgres.migrate import MigrationError
from runtime import logs
from runtime.restart import RESTART
from schemas.settings import SettingsError

log = logs.get_logger("payments")

#: Wrong settings, a server that does not answer, a defect of ours: nothing was found out.
COULD_NOT_RUN: Final = 2
Commands = Mapping[str, Callable[..., int | None]]
#: Each checks, or decides, what an operator looks after.
COMMANDS: Final[Commands] = {
    "audit": audit,
    "rebuild": rebuild,
    "replay": replay,
    "dead-letters": dead_letters,
}
ABOUT: Final = "A payment orchestration service. docs/configuration.md lists every setting."


def main(
    arguments: Sequence[str] | None = None,
    programs: Programs = PROGRAMS,
    commands: Commands = COMMANDS,
) -> int:
    """Runs one program or command; a wrong setting or an unreachable server is one clear line.

    Answers the exit code. Without arguments it takes those of the process.
    """
    app = typer.Typer(
        name="payments",
        help=ABOUT,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for panel, table in (("Programs", programs), ("Operators", commands)):
        for name, function in table.items():
            app.command(name, rich_help_panel=panel)(_guarded(name, function))
    try:
        app(args=None if arguments is None else list(arguments), prog_name="payments")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def run(arguments: Sequence[str] | None = None, programs: Programs = PROGRAMS) -> NoReturn:
    """The console script: ``main`` in a process of its own, which logs to standard error."""
    logs.configure()
    sys.exit(main(arguments, programs))


def _guarded(name: str, function: Callable[..., int | None]) -> Callable[..., None]:
    """The function as a command that ends with an exit code, whatever it ends in."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        raise typer.Exit(_exit_code(name, lambda: function(*args, **kwargs)))

    return command


def _exit_code(name: str, call: Callable[[], int | None]) -> int:
    try:
        return call() or 0
    except LoopFailedError:
        log.exception("worker.stopped", note="the process restarts")
        return RESTART
    except (*RETRYABLE_AT_START, SettingsError, ProcessorError, MigrationError) as error:
        what = "Postgres: " if isinstance(error, psycopg.OperationalError) else ""
        what = "Kafka: " if isinstance(error, KafkaError) else what
        why = str(error) or type(error).__name__
        print(f"payments {name}: {what}{why}", file=sys.stderr)  # noqa: T201  # for the operator
        return (
            RESTART if isinstance(error, RETRYABLE_AT_START) and name in SERVERS else COULD_NOT_RUN
        )
    except typer.BadParameter:
        raise
    except Exception:
        if name in SERVERS:
            raise
        log.exception("command.failed", command=name)
        return COULD_NOT_RUN
