"""The year's own database, beside the others of a server."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.errors import BenchError
from bench.year.copies import YEAR
from postgres.migrate import migrate
from postgres.partitions import make_between

NAME: Final = "bench_year"


def create(server_url: str, name: str = NAME) -> str:
    """Creates and migrates it, and returns its URL. Raises BenchError if it exists."""
    maintenance = make_conninfo(server_url, dbname="postgres")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except psycopg.errors.DuplicateDatabase as error:
            raise BenchError(f"the database {name} exists: drop it first") from error
    url = make_conninfo(server_url, dbname=name)
    migrate(url)
    now = datetime.now(UTC)
    asyncio.run(make_between(url, now - YEAR, now))
    return url
