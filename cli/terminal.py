"""Settings and output that the commands share."""

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import typer
from psycopg.conninfo import make_conninfo
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ports.texts import printable
from postgres.deadlines import CONNECTING
from schemas.identity import ID_CHARS, is_payment_id
from schemas.settings import DatabaseSettings, KafkaSettings, load
from schemas.settings_types import DURATION_MAX_S

#: Seconds that the brokers may take to confirm what a command publishes.
PUBLISH_DEADLINE_S: Final = 9.0


def bootstrap() -> str:
    """Returns the brokers. Raises SettingsError."""
    return load(KafkaSettings).kafka_bootstrap


def database_url() -> str:
    """Returns the URL of Postgres, with a connection timeout. Raises SettingsError."""
    url = load(DatabaseSettings).database_url.get_secret_value()
    return make_conninfo(url, **CONNECTING)


def say(text: str) -> None:
    """Prints text to standard output. What a terminal would obey is escaped, except line ends."""
    print(printable(text, keep="\n\t"))  # noqa: T201  # the output of a command


def seconds(value: float) -> float:
    """Returns the value of an option in seconds, or raises the error of a wrong command line."""
    if not 0 <= value <= DURATION_MAX_S:  # false for NaN too
        raise typer.BadParameter("give a number of seconds from 0 to 100 years")
    return value


def payment_id(value: str) -> str:
    """Returns the value of an option, or raises the error of a wrong command line."""
    if not is_payment_id(value):
        raise typer.BadParameter(
            f"{value!r} is no payment ID: pay_ and {ID_CHARS} characters of a-z and 2-7"
        )
    return value


def _interrupt(*_: object) -> None:
    """Ends the command also where Ctrl-C does not: a shell's background job ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


@contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """A scheduler that ends what runs inside with SIGTERM gets what a person gets with Ctrl-C."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_terminal() -> bool:
    """Whether a person reads the output, not a program."""
    return sys.stdout.isatty()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table, for a terminal."""
    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    Console().print(table)
