"""Applies migrations/*.sql in order, each once, under a lock, and keeps their checksums."""

import hashlib
from pathlib import Path
from typing import Any, Final

import psycopg

from postgres.deadlines import BlockingConnection

DIRECTORY: Final = Path(__file__).parent.parent / "migrations"
#: The advisory lock of migrations: two at a time would collide.
LOCK: Final = 7_236_120_571

CREATE_TABLE: Final = """
    create table if not exists schema_migrations (
        name       text primary key,
        checksum   text not null,
        applied_at timestamptz not null default now()
    )"""


class MigrationError(Exception):
    """A migration that was applied has changed since, or is gone."""


def migrate(database_url: str, directory: Path = DIRECTORY) -> list[str]:
    """Applies what is missing. Returns the names applied. Raises MigrationError, psycopg.Error."""
    with BlockingConnection.connect(database_url) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(CREATE_TABLE)
        rows = connection.execute("select name, checksum from schema_migrations").fetchall()
        known: dict[str, str] = dict(rows)
        files = sorted(directory.glob("*.sql"))
        gone = known.keys() - {file.name for file in files}
        if gone:
            raise MigrationError(f"applied, but not in {directory}: {', '.join(sorted(gone))}")
        return [file.name for file in files if _apply(connection, file, known.get(file.name))]


def _apply(connection: psycopg.Connection[Any], file: Path, known: str | None) -> bool:
    text = file.read_bytes()
    checksum = hashlib.sha256(text).hexdigest()
    if known == checksum:
        return False
    if known is not None:
        raise MigrationError(
            f"{file.name} has changed since it was applied; add a new file instead"
        )
    connection.execute(text)
    connection.execute(
        "insert into schema_migrations (name, checksum) values (%s, %s)", [file.name, checksum]
    )
    return True
