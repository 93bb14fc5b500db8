"""What every command needs: its settings, and words at a terminal."""

from typing import Final

from psycopg.conninfo import make_conninfo

from postgres.deadlines import CONNECTING
from schemas.settings import DatabaseSettings, KafkaSettings, load

#: How long the brokers may take to take what a command publishes, in seconds.
PUBLISH_DEADLINE_S: Final = 9.0


def bootstrap() -> str:
    """The brokers. Raises SettingsError."""
    return load(KafkaSettings).kafka_bootstrap


def database_url() -> str:
    """Postgres, with a limit on how long it may take to let us in. Raises SettingsError."""
    url = load(DatabaseSettings).database_url.get_secret_value()
    return make_conninfo(url, **CONNECTING)


def say(text: str) -> None:
    """One line, or a few, on standard output."""
    print(text)  # noqa: T201  # this is what a command is for
