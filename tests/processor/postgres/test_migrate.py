"""Migrations are applied once, in order, all or none, and never differ from what was applied."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection

from postgres.migrate import DIRECTORY, LOCK, MigrationError, migrate
from sandbox.testing import Infrastructure
from tests.conftest import new_database


@pytest.fixture
def empty(infrastructure: Infrastructure) -> Iterator[str]:
    """A database with nothing in it."""
    with new_database(infrastructure.database_url) as url:
        yield url


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two migrations, the second of which needs the first."""
    (tmp_path / "0001_tables.sql").write_text("create table one (id int primary key);")
    (tmp_path / "0002_more.sql").write_text("create table two (id int references one);")
    return tmp_path


def names(database_url: str) -> list[str]:
    """What the database says was applied."""
    with psycopg.connect(database_url) as connection:
        return [
            row[0]
            for row in connection.execute("select name from schema_migrations order by applied_at")
        ]


def answer(connection: Connection[Any], statement: LiteralString) -> Any:
    """The one value a statement answers."""
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def test_ours_are_applied_in_order_and_then_no_more(empty: str) -> None:
    """The first time all of them, the second time none."""
    ours = sorted(file.name for file in DIRECTORY.glob("*.sql"))
    assert ours
    assert migrate(empty) == ours
    assert migrate(empty) == []
    assert names(empty) == ours


def test_a_new_one_is_applied_alone(empty: str, files: Path) -> None:
    """What was applied is not applied again."""
    migrate(empty, files)
    (files / "0003_new.sql").write_text("alter table two add column name text;")
    assert migrate(empty, files) == ["0003_new.sql"]


def test_one_that_has_changed_is_refused_by_name(empty: str, files: Path) -> None:
    """Even by a space: nobody knows which of the two a database has. Nothing new is applied."""
    migrate(empty, files)
    (files / "0001_tables.sql").write_text("create table one (id int primary key) ;")
    (files / "0003_new.sql").write_text("create table three (id int);")
    with pytest.raises(MigrationError, match=r"0001_tables\.sql has changed"):
        migrate(empty, files)
    assert names(empty) == ["0001_tables.sql", "0002_more.sql"]


def test_one_that_is_gone_is_refused_by_name(empty: str, files: Path) -> None:
    """An older program on a newer database must not go on."""
    migrate(empty, files)
    (files / "0002_more.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002_more\.sql"):
        migrate(empty, files)


def test_one_that_fails_leaves_nothing(empty: str, files: Path) -> None:
    """All or none: the ones before it are undone too, and come again with the next try."""
    broken = files / "0003_broken.sql"
    broken.write_text("create table three (id int); select nonsense;")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(empty, files)
    with psycopg.connect(empty) as connection:
        assert answer(connection, "select to_regclass('one') is null")
    broken.unlink()
    assert migrate(empty, files) == ["0001_tables.sql", "0002_more.sql"]


def test_two_at_once_are_one_after_the_other(empty: str, files: Path) -> None:
    """Both succeed in either order; each migration was applied once."""
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with psycopg.connect(empty, autocommit=True) as door, ThreadPoolExecutor(2) as both:
        door.execute("select pg_advisory_lock(%s)", [LOCK])
        applied = [both.submit(migrate, empty, files) for _ in range(2)]
        while answer(door, waiting) < 2:
            assert not any(each.done() for each in applied)
        door.execute("select pg_advisory_unlock(%s)", [LOCK])
        found = sorted(each.result(timeout=10) for each in applied)
    assert found == [[], ["0001_tables.sql", "0002_more.sql"]]
