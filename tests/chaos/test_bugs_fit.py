"""The bugs that chaos plants fit the statements and constraints of today.

Otherwise a program with one of them does nothing at all, and its run finds nothing.
"""

import itertools
import re

import psycopg
import pytest

from postgres.batch import statements
from tests.chaos.planted import BUGS


def _prepared(name: str, statement: str) -> bytes:
    """A statement that has Postgres check another one, without executing it."""
    numbers = itertools.count(1)
    return f"prepare {name} as {re.sub('%[bs]', lambda _: f'${next(numbers)}', statement)}".encode()


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_fits_the_statements_and_the_tables(
    database_url: str, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it replaces is there, and Postgres understands what stands in its place."""
    BUGS[bug].plant(monkeypatch)
    with psycopg.connect(database_url) as connection:
        for statement in BUGS[bug].statements:
            connection.execute(statement.encode())
        for name, text in vars(statements).items():
            if name.isupper() and not name.startswith("_"):
                connection.execute(_prepared(name, text))
        connection.rollback()
