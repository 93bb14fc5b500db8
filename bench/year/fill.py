"""Fills empty tables with payments as after a year in use.

The service's own code makes some template payments (``templates.py``). Each further payment is a
copy of one: other IDs, a later time, the same documents. Copies come in the order of their times;
their IDs are hashes, so they fall anywhere among those in store.

Nothing here knows a table, and ``staging.py`` says which columns are special. Not like after a real
year: pages of tables have no holes that old versions of rows left, and all rows of a payment stand
together.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import sql

from bench.errors import BenchError
from bench.year import copies, indexes, staging, templates
from bench.year.staging import Connection, Staged
from bench.year.templates import Template

#: Copies that one statement makes, and after how many of these their pages are vacuumed: while
#: they are still in memory, or each would be written twice more.
AT_ONCE: Final = 10_000
VACUUM_EVERY: Final = 4
AT_THE_SAME_TIME: Final = 3
#: No triggers and foreign keys: templates obeyed them, and so their copies do.
SESSION: Final = (
    "set session_replication_role = replica",
    "set synchronous_commit = off",
    "set maintenance_work_mem = '256MB'",
    "set max_parallel_maintenance_workers = 0",
    "set max_parallel_workers_per_gather = 0",
    "set jit = off",
    "set timezone = 'UTC'",
    # copy by copy in their order, each with its template's rows in theirs
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set enable_bitmapscan = off",
)
SEQUENCES: Final = """
    select setval(format('%%I.%%I', schemaname, sequencename), (last_value + 1) * (%s + 1))
    from pg_sequences where schemaname = 'public' and last_value is not null"""

#: A publication leaves when a later one of its partition is published.
PUBLISHED: Final = """
    delete from publications where published_at is not null and publication_id not in (
        select max(publication_id) from publications group by partition)"""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled: payments in store, and the seconds that each part took."""

    payments: int
    seconds: dict[str, float]


def fill(database_url: str, payments: int, *, unrouted: int = 0, backoff: int = 0) -> Filled:
    """Fills the migrated, empty tables of a database; its role must be a superuser.

    Args:
        database_url: Postgres.
        payments: how many to store; at least as many as there are templates.
        unrouted: webhooks to store that wait for payments which don't exist.
        backoff: further payments whose first call failed and waits for its next attempt.

    Raises BenchError if the tables aren't empty, or a new table is not understood.
    """
    begun, marks = time.monotonic(), dict[str, float]()
    minute = templates.minute_of(datetime.now(UTC))
    with _session(database_url) as connection:
        static = staging.filled(connection)
    if "payments" in static:
        raise BenchError("the store is not empty: fill a new database")
    usual = asyncio.run(templates.make(database_url, minute))
    if payments < len(usual):
        raise BenchError(f"a year has at least {len(usual)} payments, its templates")
    special = _make_special(database_url, minute, len(usual), unrouted, backoff)
    marks["templates"] = time.monotonic() - begun
    placeholders = copies.placeholders(minute)
    with _session(database_url) as connection:
        made = [*usual, *(template for template, _ in special)]
        staged = staging.stage(connection, made, static, placeholders)
        count = copies.plan(connection, usual, special, payments, minute)
        inserts = [
            (each, copies.insertion(connection, each, staged, placeholders)) for each in staged
        ]
        off = {each.table: indexes.switch_off(connection, each) for each in staged}
        connection.execute(SEQUENCES, [count + 1])
    marks["plan"] = time.monotonic() - begun
    _multiply(database_url, inserts, off, count)
    marks["copies and indexes"] = time.monotonic() - begun
    with _session(database_url) as connection:
        connection.execute(staging.DROP)
        connection.execute(PUBLISHED)
        connection.execute("vacuum (freeze, analyze)")
        connection.execute("checkpoint")
    marks["vacuum and checkpoint"] = time.monotonic() - begun
    before = [0.0, *marks.values()]
    parts = {name: at - b for (name, at), b in zip(marks.items(), before, strict=False)}
    return Filled(payments, parts)


def _session(database_url: str) -> Connection:
    connection = psycopg.connect(database_url, autocommit=True)
    for statement in SESSION:
        connection.execute(statement)
    return connection


def _make_special(
    database_url: str, minute: datetime, number: int, unrouted: int, backoff: int
) -> list[tuple[Template, int]]:
    """The special templates, each with the number of its kind."""
    found: list[tuple[Template, int]] = []
    for make, wanted in (
        (templates.make_unrouted, unrouted),
        (templates.make_backing_off, backoff),
    ):
        if wanted:
            template = asyncio.run(make(database_url, minute, number + len(found)))
            found.append((template, wanted))
    return found


def _multiply(
    database_url: str,
    inserts: Sequence[tuple[Staged, sql.Composed]],
    off: dict[str, list[indexes.Index]],
    count: int,
) -> None:
    """Fills the tables, largest first; builds a table's indexes when it is filled."""
    ordered = sorted(inserts, key=lambda each: -each[0].bytes)
    with ThreadPoolExecutor(AT_THE_SAME_TIME) as pool:
        waiting: dict[Future[None], str] = {
            pool.submit(_fill_table, database_url, one.table, insert, count): one.table
            for one, insert in ordered
        }
        builds: list[Future[None]] = []
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()
                table = waiting.pop(each)
                builds += [pool.submit(_build, database_url, index) for index in off[table]]
        for build in builds:
            build.result()


def _fill_table(database_url: str, table: str, insert: sql.Composed, count: int) -> None:
    vacuum = sql.SQL("vacuum (freeze, index_cleanup off, truncate off) {}").format(
        sql.Identifier("public", table)
    )
    with _session(database_url) as connection:
        for number, first in enumerate(range(1, count + 1, AT_ONCE), start=1):
            connection.execute(insert, [first, first + AT_ONCE - 1])
            if number % VACUUM_EVERY == 0:
                connection.execute(vacuum)


def _build(database_url: str, index: indexes.Index) -> None:
    with _session(database_url) as connection:
        indexes.build(connection, index)
