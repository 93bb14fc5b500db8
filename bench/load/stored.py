"""Fills Postgres and the dedup table with many payments and their events, as after long use.

It loads rows in bulk, because the service would take an hour. Rows and entries are minimal versions
of the service's own, under the real constraints and indexes. IDs are hashes, so later rows are
spread over the whole index. Rows are loaded in order, for speed.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from aiokafka import TopicPartition
from psycopg.conninfo import make_conninfo

from bench.load import log, rows
from bench.load.dedup_table import EVENTS_PER_PAYMENT
from bench.load.workload import generate
from bench.site import PARTITIONS, Site
from decisions.fold import fold
from domain.view import snapshot
from messaging.topic_admin import CHANGELOG
from ports.batch import ReadSet
from postgres.documents import encode_payment, encode_snapshot
from postgres.migrate import migrate
from sandbox.supervision import processes
from sandbox.supervision.processes import Command
from sandbox.topology import PROJECT

DATABASE: Final = "bench_stored"
WRITTEN_WITHIN_S: Final = 900.0

#: Skips the foreign key checks of millions of rows, whose references are correct.
PREPARE: Final = "set session_replication_role = replica"
PAYMENT_IDS: Final = """
    create temporary table ids as
    select row_number() over (order by id collate "C") as number, id from (
        select 'pay_' || translate(left(md5(n::text), 30), '0189', 'ghij') as id
        from generate_series(0, %(payments)s - 1) as n) as made"""
PAYMENTS: Final = """
    insert into payments
    select id, d->>'tenant', d->>'provider', null, d->>'status', 1, (d->>'amount')::bigint,
        d->>'currency', 0, 0, 0, (d->>'expires_at')::timestamptz, (d->>'created_at')::timestamptz,
        (d->>'updated_at')::timestamptz, replace(d::text, d->>'id', id)::jsonb,
        replace(%(snapshot)s, %(id)s, id)::json, 0
    from ids, (select %(document)s::jsonb as d) as one order by number"""
VERSIONS: Final = """
    insert into payment_versions
    select id, 1, null, 'CREATED', id || ':0', now() - interval '1 day' from ids order by number"""
INBOX: Final = """
    insert into inbox (event_id, payment_id, kind, topic, partition, "offset", received_at,
        recorded_at, outcome, reason, version, decided)
    select id || ':' || event, id, 'create', 'payment-commands', number %% 4, number,
        at, at, case event when 0 then 'applied' else 'ignored' end, '',
        case event when 0 then 1 end,
        number * 1000000 + event
    from ids, generate_series(0, %(events)s - 1) as event,
        lateral (select now() - interval '9 days' + number * interval '1 microsecond' as at) as a
    order by number, event"""


def separate_database(site: Site) -> Site:
    """The site with a separate database, which ``load`` creates."""
    return site.with_database(DATABASE)


async def load(full: Site, payments: int, data_dir: Path) -> float:
    """Fills database and data folder with this many payments; returns the seconds it took."""
    begun, url = time.monotonic(), full.database_url
    maintenance = make_conninfo(url, dbname="postgres")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"create database {DATABASE}".encode())
    migrate(url)
    values = _values(payments)
    await asyncio.gather(
        asyncio.to_thread(_insert, url, values, (PAYMENTS, VERSIONS)),
        asyncio.to_thread(_insert, url, values, (INBOX,)),
        _write_table(full, payments, data_dir),
    )
    with psycopg.connect(url, autocommit=True) as connection:
        # otherwise autovacuum and the checkpointer would do this during a measurement
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return time.monotonic() - begun


def _values(payments: int) -> dict[str, Any]:
    """The statements' parameters: one payment, as the service would have stored it."""
    received = rows.creates(generate(0, "stored", 1).commands)
    (version,) = fold(
        ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={}), received
    ).versions
    return {
        "payments": payments,
        "events": EVENTS_PER_PAYMENT,
        "id": version.payment.id,
        "document": encode_payment(version.payment),
        "snapshot": encode_snapshot(snapshot(version.payment)).decode(),
    }


def _insert(url: str, values: Mapping[str, Any], statements: Sequence[LiteralString]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PREPARE)
        for statement in (PAYMENT_IDS, *statements):
            connection.execute(statement, values)


async def _write_table(full: Site, payments: int, data_dir: Path) -> None:
    """Fills the dedup table in a separate process."""
    ends = await log.ends(full, [CHANGELOG.name])
    argv = [sys.executable, "-m", "bench.load.dedup_table", str(payments)]
    argv += [str(ends[TopicPartition(CHANGELOG.name, number)]) for number in range(PARTITIONS)]
    shared = {**full.environment, "PAYMENTS_DATA_DIR": str(data_dir)}
    command = Command("dedup_table", argv, environment=shared, folder=PROJECT)
    await processes.run(command, full.logs, within=WRITTEN_WITHIN_S)
