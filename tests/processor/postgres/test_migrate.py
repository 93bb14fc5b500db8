"""Migrations are applied once, in order, all or none, and never differ from what was applied."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection

from ports.records import UNREAD, RecordOffset, id_at
from postgres.migrate import DIRECTORY, LOCK, MigrationError, migrate
from postgres.payment_list import label_of
from sandbox.testing import Infrastructure
from tests.conftest import new_database


@pytest.fixture
def empty(infrastructure: Infrastructure) -> Iterator[str]:
    """An empty database."""
    with new_database(infrastructure.database_url) as url:
        yield url


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two migrations, the second of which needs the first."""
    (tmp_path / "0001_tables.sql").write_text("create table one (id int primary key);")
    (tmp_path / "0002_more.sql").write_text("create table two (id int references one);")
    return tmp_path


def names(database_url: str) -> list[str]:
    """Returns the migrations that the database lists as applied."""
    with psycopg.connect(database_url) as connection:
        return [
            row[0]
            for row in connection.execute("select name from schema_migrations order by applied_at")
        ]


def value(connection: Connection[Any], statement: LiteralString) -> Any:
    """Returns the single value of a query."""
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def test_our_migrations_are_applied_in_order_and_once(empty: str) -> None:
    """The first run applies all of them, the second none."""
    expected = sorted(file.name for file in DIRECTORY.glob("*.sql"))
    assert expected
    assert migrate(empty) == expected
    assert migrate(empty) == []
    assert names(empty) == expected


def test_only_a_new_migration_is_applied(empty: str, files: Path) -> None:
    """Migrations applied before are not applied again."""
    migrate(empty, files)
    (files / "0003_new.sql").write_text("alter table two add column name text;")
    assert migrate(empty, files) == ["0003_new.sql"]


def test_a_changed_migration_is_refused_by_name(empty: str, files: Path) -> None:
    """A space is enough, because a database may have either text. Nothing new is applied."""
    migrate(empty, files)
    (files / "0001_tables.sql").write_text("create table one (id int primary key) ;")
    (files / "0003_new.sql").write_text("create table three (id int);")
    with pytest.raises(MigrationError, match=r"0001_tables\.sql has changed"):
        migrate(empty, files)
    assert names(empty) == ["0001_tables.sql", "0002_more.sql"]


def test_a_missing_migration_is_refused_by_name(empty: str, files: Path) -> None:
    """An older program must not run on a newer database."""
    migrate(empty, files)
    (files / "0002_more.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002_more\.sql"):
        migrate(empty, files)


def test_a_failing_migration_leaves_nothing(empty: str, files: Path) -> None:
    """All or none: the ones before it are rolled back too, and the next run applies them."""
    broken = files / "0003_broken.sql"
    broken.write_text("create table three (id int); select nonsense;")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(empty, files)
    with psycopg.connect(empty) as connection:
        assert value(connection, "select to_regclass('one') is null")
    broken.unlink()
    assert migrate(empty, files) == ["0001_tables.sql", "0002_more.sql"]


def _before(name: str, folder: Path) -> Path:
    """Returns a folder with our migrations up to this one, without it."""
    for file in DIRECTORY.glob("*.sql"):
        if file.name < name:
            shutil.copy(file, folder)
    return folder


def test_what_waits_for_a_release_leaves_its_event_id_also_after_an_upgrade(
    empty: str, tmp_path: Path
) -> None:
    """An earlier release stored it under that ID, and took another record for a duplicate."""
    at = RecordOffset("provider-webhooks", 3, 7)
    rows = [
        ("evt_1", "stripe.refund.updated", "quarantined"),
        (id_at("evt_2", at), "stripe.refund.updated", "quarantined"),
        ("evt_3", UNREAD, "parked"),
        ("evt_4", "stripe.refund.updated", "parked"),
        ("evt_5", UNREAD, "applied"),
    ]
    migrate(empty, _before("0003", tmp_path))
    with psycopg.connect(empty) as connection:
        for event_id, kind, outcome in rows:
            connection.execute(
                """insert into inbox (event_id, payment_id, kind, topic, partition, "offset",
                    received_at, recorded_at, outcome, reason, value)
                values (%s, 'pay', %s, %s, %s, %s, now(), now(), %s, '', '')""",
                [event_id, kind, at.topic, at.partition, at.offset, outcome],
            )
    migrate(empty)
    with psycopg.connect(empty) as connection:
        found = connection.execute("select event_id from inbox order by 1").fetchall()
    apart = [id_at(f"evt_{number}", at) for number in (1, 2, 3)]
    assert [row[0] for row in found] == [*apart, "evt_4", "evt_5"]


def test_payments_of_an_earlier_release_can_be_found(empty: str, tmp_path: Path) -> None:
    """By what they have; also those that it creates while the migration runs, and after it."""
    migrate(empty, _before("0008", tmp_path))
    terms = '{"metadata": {"order": "17"}, "fraud_warnings": [{}]}'
    warned = '{"fraud_warnings": [{"actionable": true}]}'
    answered = '{"fraud_warnings": [{"actionable": false}]}'
    with psycopg.connect(empty) as connection:
        _store(connection, "a", terms, warned)
        _store(connection, "b", terms, answered)
        _store(connection, "c", "{}", "{}", "NEEDS_RESPONSE")
        _store(connection, "d", "{}", "{}", "UNDER_REVIEW")
    migrate(empty)
    with psycopg.connect(empty) as connection:
        _store(connection, "e", terms, answered)
        open_ = connection.execute("select payment_id from open_matters order by 1").fetchall()
        assert [row[0][4] for row in open_] == ["a", "c"]
        labelled = "select payment_id from payment_labels where label = %s order by 1"
        for term, value_, expected in (
            ("metadata.order", "17", "abe"),
            ("currency", "EUR", "abcde"),
            ("provider", "stripe", "abcde"),
            ("order_reference", "17", ""),
        ):
            label = label_of("shop", term, value_)
            found = connection.execute(labelled, [label]).fetchall()
            assert "".join(row[0][4] for row in found) == expected


def _store(
    connection: Connection[Any], name: str, document: str, snapshot: str, dispute: str = ""
) -> None:
    """A payment as any release inserts it."""
    payment_id = f"pay_{name * 30}"
    connection.execute(
        """insert into payments (payment_id, tenant, provider, status, version, amount, currency,
               authorized, captured, refunded, expires_at, created_at, updated_at, document,
               snapshot, publication_id)
           values (%s, 'shop', 'stripe', 'CREATED', 1, 1, 'EUR', 0, 0, 0, now(), now(), now(), %s,
               %s, 1)""",
        [payment_id, document, snapshot],
    )
    if dispute:
        connection.execute(
            """insert into disputes (payment_id, dispute_id, status, amount, currency, funds,
                   updated_at)
               values (%s, 'dp_1', %s, 1, 'EUR', '[]', now())""",
            [payment_id, dispute],
        )


def test_concurrent_migrations_run_one_after_the_other(empty: str, files: Path) -> None:
    """Both runs succeed. Each migration is applied once."""
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with psycopg.connect(empty, autocommit=True) as blocker, ThreadPoolExecutor(2) as both:
        blocker.execute("select pg_advisory_lock(%s)", [LOCK])
        applied = [both.submit(migrate, empty, files) for _ in range(2)]
        while value(blocker, waiting) < 2:
            assert not any(each.done() for each in applied)
        blocker.execute("select pg_advisory_unlock(%s)", [LOCK])
        found = sorted(each.result(timeout=10) for each in applied)
    assert found == [[], ["0001_tables.sql", "0002_more.sql"]]
