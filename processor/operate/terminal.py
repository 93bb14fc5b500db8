"""What every operator's command needs: its arguments, its settings, and words at a terminal."""

import argparse
from datetime import UTC, datetime

from psycopg.conninfo import make_conninfo

from processor.store.patience import CONNECTING
from schemas.settings import DatabaseSettings, KafkaSettings, load


def command_parser(name: str, about: str) -> argparse.ArgumentParser:
    """A parser of one command's arguments; ``about`` is shown as it is."""
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(
        prog=f"payments {name}", description=about, formatter_class=formatter
    )


def bootstrap() -> str:
    """The brokers. Raises SettingsError."""
    return load(KafkaSettings).kafka_bootstrap


def database_url() -> str:
    """Postgres, with a limit on how long it may take to let us in. Raises SettingsError."""
    url = load(DatabaseSettings).database_url.get_secret_value()
    return make_conninfo(url, **CONNECTING)


def utc_now() -> datetime:
    """The clock of every command."""
    return datetime.now(UTC)


def say(text: str) -> None:
    """One line, or a few, on standard output."""
    print(text)  # noqa: T201  # this is what an operator's command is for


def moment(at: datetime) -> str:
    """A time as people compare it: UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
