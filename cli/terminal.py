"""Settings and output that the commands share."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from psycopg.conninfo import make_conninfo
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ports.texts import printable
from postgres.deadlines import CONNECTING
from schemas.settings import DatabaseSettings, KafkaSettings, load

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


def is_terminal() -> bool:
    """Whether a person reads the output, not a program."""
    return sys.stdout.isatty()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table, for a terminal."""
    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    Console().print(table)
