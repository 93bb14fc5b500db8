"""A filled store is like one of a year in use: real documents, consistent rows, random IDs."""

import asyncio
import gc
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.errors import BenchError
from bench.site import PARTITIONS
from bench.year import database, staging
from bench.year.fill import fill
from bench.year.sizes import as_markdown, per_payment, sizes
from bench.year.templates import SMALLEST, TENANTS, Template
from postgres.deadlines import OperatingConnection
from processor.ops.audit import topics
from processor.ops.audit.findings import Findings
from processor.ops.audit.ranges import Ranges
from processor.ops.audit.run import Scope, audit
from processor.ops.audit.tables import ALWAYS, Times
from processor.ops.invariants import Evidence, check
from processor.ops.progress import ignore
from sandbox.testing import Infrastructure
from tests.support.programs.gathering import with_tables

DATABASE = "bench_test_year"
PAYMENTS = 2_000
UNROUTED = 70
BACKOFF = 30
#: A table that the filler does not know: partitioned, with an identity, written by a trigger.
UNKNOWN_TABLE = """
    create table notes (
        number bigint generated always as identity, payment_id text, at timestamptz,
        text text generated always as ('of ' || payment_id) stored,
        primary key (payment_id, at)) partition by range (at);
    create table notes_old partition of notes
        for values from (minvalue) to (now() - interval '1 h');
    create table notes_new partition of notes default;
    create function note() returns trigger language plpgsql as $$
    begin
        insert into notes (payment_id, at) values (new.payment_id, new.created_at);
        return new;
    end $$;
    create trigger noted after insert on payments for each row execute function note()"""
#: Nothing is too young, and nothing has to be on the empty topic.
TIMES = Times(on_topic=ALWAYS, before=ALWAYS, kept=datetime.now(UTC), is_live=True)


@pytest.fixture(scope="module")
def url(infrastructure: Infrastructure) -> str:
    """A filled database."""
    made = database.create(infrastructure.database_url, DATABASE)
    with psycopg.connect(made) as connection:
        connection.execute(UNKNOWN_TABLE)
    filled = fill(made, PAYMENTS, unrouted=UNROUTED, backoff=BACKOFF)
    assert filled.payments == PAYMENTS
    return made


def _rows(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def _one(url: str, statement: str, *values: Any) -> Any:
    ((found,),) = _rows(url, statement, *values)
    return found


async def _evidence(url: str, folder: Path) -> Evidence:
    async with await OperatingConnection.connect(url, autocommit=True) as connection:
        return await with_tables(connection, Ranges(folder, [""]), TIMES)


def test_the_audit_finds_nothing_wrong(url: str, tmp_path: Path) -> None:
    """Every document decodes; every row agrees with it. Only what shall wait waits."""
    evidence = asyncio.run(_evidence(url, tmp_path))
    assert len(evidence.documents) == PAYMENTS + BACKOFF
    found = check(evidence)
    assert len(found.pop("L1")) == BACKOFF
    assert {code: violations for code, violations in found.items() if violations} == {}


async def _read_no_topic(*_: object) -> int:
    """Other tests' records are of any size."""
    return 0


def _peak_of_an_audit(
    bootstrap: str, url: str, start: str, range_payments: int = 100
) -> tuple[int, int]:
    """The payments that an audit from this ID on checks, and its peak of memory in bytes."""
    scope = Scope(settle_s=60.0, start=start, range_payments=range_payments)
    findings = Findings()
    gc.collect()
    tracemalloc.start()
    try:
        asyncio.run(audit(bootstrap, url, scope, lambda: datetime.now(UTC), findings, ignore))
        return findings.by_code["S5"].checked, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_an_audit_does_not_grow_with_the_store(
    url: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times the payments take the same memory, that of one range."""
    monkeypatch.setattr(topics, "read_log", _read_no_topic)
    monkeypatch.setattr(topics, "read_published", _read_no_topic)
    ids = sorted(payment_id for (payment_id,) in _rows(url, "select payment_id from payments"))
    _peak_of_an_audit(kafka_bootstrap, url, ids[-1])  # what is only once
    quarter, peak = _peak_of_an_audit(kafka_bootstrap, url, ids[-len(ids) // 4])
    whole, peak_of_whole = _peak_of_an_audit(kafka_bootstrap, url, "")
    assert whole > 3.9 * quarter
    assert peak_of_whole < 1.2 * peak
    assert _peak_of_an_audit(kafka_bootstrap, url, "", PAYMENTS // 2)[1] > 3 * peak


def test_constraints_hold_and_are_in_force(url: str) -> None:
    """Rows were stored without foreign keys and indexes. All are there, and hold."""
    assert _rows(url, "select from pg_index where not (indisvalid and indisready)") == []
    with psycopg.connect(url) as connection:
        keys = connection.execute("""
            select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
            from pg_constraint where contype in ('f', 'c') and conparentid = 0 and coninhcount = 0
                and connamespace = 'public'::regnamespace""").fetchall()
        assert keys
        for table, name, definition in keys:
            again = f'alter table {table} drop constraint "{name}", add {definition}'
            connection.execute(again.encode())
        connection.rollback()


def test_a_payment_has_the_usual_number_of_rows(url: str) -> None:
    """About seven inputs and four versions; all are published."""
    payments = PAYMENTS + BACKOFF
    assert _one(url, "select count(*) from inbox") / payments == pytest.approx(6.8, abs=0.4)
    assert _one(url, "select count(*) from payment_versions") / payments == pytest.approx(
        3.75, abs=0.3
    )
    assert 0 < _one(url, "select count(*) from duplicates") < payments
    assert 0 < _one(url, "select count(*) from refunds") < payments
    assert 0 < _one(url, "select count(*) from disputes") < payments / 20
    assert _rows(url, "select count(*), bool_and(published_at is not null) from publications") == [
        (PARTITIONS, True)
    ]
    assert _rows(url, "select from payments where version = 1 and object_id is not null") == []


def test_five_in_a_hundred_are_unfinished(url: str) -> None:
    """Beside those whose calls are in back-off."""
    found: Counter[bool] = Counter()
    for status, count in _rows(url, "select status, count(*) from payments group by 1"):
        found[status in {"SUCCEEDED", "FAILED", "CANCELED"}] += count
    assert (found[False] - BACKOFF) / PAYMENTS == pytest.approx(0.05, abs=0.02)


def test_tenants_differ_in_size(url: str) -> None:
    """The first has nearly all, the last a few."""
    found = _rows(url, "select tenant, count(*) from payments group by 1 order by 2 desc")
    assert [tenant for tenant, _ in found[:2]] == [name for name, *_ in TENANTS[:2]]
    assert found[0][1] > 0.9 * PAYMENTS
    assert found[-1] == SMALLEST


def test_a_year_is_in_order_and_ids_are_not(url: str) -> None:
    """Rows stand in the order of their times, over a whole year; IDs come anywhere."""
    now = datetime.now(UTC)
    ((first, last),) = _rows(url, "select min(recorded_at), max(recorded_at) from inbox")
    assert now - timedelta(days=366) < first < now - timedelta(days=364)
    assert now - timedelta(hours=2) < last < now
    found = dict(
        _rows(
            url,
            """select attname, correlation from pg_stats
            where tablename = 'payments' and attname in ('payment_id', 'created_at')""",
        )
    )
    assert found["created_at"] > 0.9
    assert abs(found["payment_id"]) < 0.2


def test_calls_are_done_or_in_back_off(url: str) -> None:
    """A call in back-off has been tried and is due later."""
    found = dict(_rows(url, "select state, count(*) from provider_calls group by 1"))
    assert found["done"] > PAYMENTS
    assert found["due"] == BACKOFF
    assert _one(
        url,
        """select count(*) from provider_calls where state = 'due' and attempts > 0
        and next_attempt_at > now() and created_at < now()""",
    ) == BACKOFF  # fmt: skip


def test_unrouted_webhooks_belong_to_no_payment(url: str) -> None:
    """Each is another event about another object, in body and headers too."""
    ids = _rows(
        url,
        """select event_id, object_id, headers ->> 'event-id', convert_from(value, 'UTF8')::json
            ->> 'id' from unrouted""",
    )
    assert len(ids) == len({object_id for _, object_id, *_ in ids}) == UNROUTED
    assert all(event_id == header == body for event_id, _, header, body in ids)
    assert _one(url, "select count(*) from unrouted join payments using (object_id)") == 0


def test_new_rows_follow_those_in_store(url: str) -> None:
    """The next publication and decision have higher numbers than all before."""
    assert _one(url, "select nextval('publication_ids') > max(publication_id) from publications")
    assert _one(url, "select nextval('decision_batches') * 1000000 > max(decided) from inbox")


def test_a_new_table_is_filled_too(url: str) -> None:
    """A partitioned table with an identity and a computed column, which the filler doesn't know."""
    assert _one(url, "select count(distinct number) from notes") == PAYMENTS + BACKOFF
    assert _one(url, "select count(*) from notes_new") > 0
    assert (
        _one(
            url,
            """select count(*) from notes join payments using (payment_id)
        where at = created_at and text = 'of ' || payment_id""",
        )
        == PAYMENTS + BACKOFF
    )


def test_sizes_are_of_all_tables_and_indexes(url: str) -> None:
    """A partition counts for its table; the sum is near the database's size."""
    found = sizes(url)
    names = {(size.table, size.index) for size in found}
    assert {("payments", ""), ("payments", "payments_pkey")} < names
    assert {("notes", ""), ("notes", "notes_pkey")} < names
    assert ("notes_old", "") not in names
    assert next(s.rows for s in found if (s.table, s.index) == ("notes", "")) == PAYMENTS + BACKOFF
    total = per_payment(found, PAYMENTS)
    whole = _one(url, "select pg_database_size(current_database())")
    assert 0.5 * whole < total["stored_bytes"] * PAYMENTS < whole
    assert "payments_pkey" in as_markdown(found, PAYMENTS)


def test_only_an_empty_store_is_filled(url: str, infrastructure: Infrastructure) -> None:
    """What is there is never mixed with copies."""
    with pytest.raises(BenchError, match="not empty"):
        fill(url, PAYMENTS)
    with pytest.raises(BenchError, match="exists"):
        database.create(infrastructure.database_url, DATABASE)


def test_a_row_of_no_template_is_an_error() -> None:
    """A table that the filler can't attribute fails instead of staying almost empty."""
    first, second = f"pay_{'a' * 30}", f"evt_{'b' * 25}"
    rows = [
        staging._Row((1, "(0,1)"), frozenset({first, second}), 7),
        staging._Row((1, "(0,2)"), frozenset({second}), None),
        staging._Row((1, "(0,3)"), frozenset(), 7),
    ]
    templates = [Template(5, first, 1.0)]
    found = staging._owners(templates, {"some": rows})
    assert found == {"some": {(1, "(0,1)"): 5, (1, "(0,2)"): 5, (1, "(0,3)"): 5}}
    lost = [*rows, staging._Row((1, "(0,4)"), frozenset({f"pay_{'c' * 30}"}), None)]
    with pytest.raises(BenchError, match="1 rows of some"):
        staging._owners(templates, {"some": lost})
