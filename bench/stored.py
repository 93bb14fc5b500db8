"""What long use leaves behind: payments with their events, in Postgres and in the table of events.

Loaded at once, not through the service, which would take an hour: rows and entries are those the
service would have written, as narrow as they can be, under the real constraints and indexes. IDs
are hashes, so that what comes later falls anywhere among them, and are loaded in their order, so
that loading does not.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from aiokafka import TopicPartition
from psycopg.conninfo import make_conninfo
from rocksdict import WriteBatch

from bench import log, rows
from bench.site import PARTITIONS, Site
from bench.workload import generate
from processor.domain.view import snapshot
from processor.fold import fold
from processor.migrate import migrate
from processor.plan import Loaded
from processor.seen import Entry
from processor.store.documents import encode_payment, encode_snapshot
from processor.stream import ROCKSDB_OPTIONS, create_app
from processor.topics import CHANGELOG
from schemas.settings import KafkaSettings, StreamSettings

DATABASE: Final = "bench_stored"
#: The first is the command that created the payment, the others had no effect.
EVENTS_PER_PAYMENT: Final = 5
#: Versions that were published together.
PER_PUBLICATION: Final = 1_000
WRITTEN_AT_ONCE: Final = 5_000
_LETTERS: Final = str.maketrans("0189", "ghij")  # an ID has none of these four

#: Millions of rows at once: references are right, and not looked up one by one.
PREPARE: Final = "set session_replication_role = replica"
PUBLICATIONS: Final = """
    insert into publications
    select nextval('publication_ids'), n %% 4, now() - interval '1 day', now() - interval '1 day'
    from generate_series(0, %(publications)s) as n"""
FIRST: Final = "select min(publication_id) from publications"
PAYMENT_IDS: Final = """
    create temporary table ids as
    select row_number() over (order by id collate "C") as number, id from (
        select 'pay_' || translate(left(md5(n::text), 30), '0189', 'ghij') as id
        from generate_series(0, %(payments)s - 1) as n) as made"""
PAYMENTS: Final = """
    insert into payments
    select id, d->>'tenant', d->>'provider', null, d->>'status', 1, (d->>'amount')::bigint,
        d->>'currency', 0, 0, 0, (d->>'expires_at')::timestamptz, (d->>'created_at')::timestamptz,
        (d->>'updated_at')::timestamptz, replace(d::text, d->>'id', id)::jsonb
    from ids, (select %(document)s::jsonb as d) as one order by number"""
VERSIONS: Final = """
    insert into payment_versions
    select id, 1, null, 'CREATED', id || ':0', now() - interval '1 day',
        %(first)s + number / %(per_publication)s, replace(%(snapshot)s, %(id)s, id)::json
    from ids order by number"""
INBOX: Final = """
    insert into inbox (event_id, payment_id, kind, topic, partition, "offset", received_at,
        recorded_at, outcome, reason, version, publication_id, decided)
    select id || ':' || event, id, 'create', 'payment-commands', number %% 4, number,
        at, at, case event when 0 then 'applied' else 'ignored' end, '',
        case event when 0 then 1 end,
        case event when 0 then %(first)s + number / %(per_publication)s end,
        number * 1000000 + event
    from ids, generate_series(0, %(events)s - 1) as event,
        lateral (select now() - interval '9 days' + number * interval '1 microsecond' as at) as a
    order by number, event"""


def payment_id(number: int) -> str:
    """The same as ``PAYMENT_IDS`` makes."""
    digest = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return f"pay_{digest[:30].translate(_LETTERS)}"


def entries(payments: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the table of seen events, in no order."""
    now = int(time.time())
    for number in range(payments):
        id_ = payment_id(number)
        seen = {f"{id_}:{event}": (0, number) for event in range(EVENTS_PER_PAYMENT)}
        yield id_.encode(), msgspec.msgpack.encode(Entry(now, seen))


def place(site: Site) -> Site:
    """The site with a database of its own in the place of the other; ``load`` makes it."""
    url = make_conninfo(site.database_url, dbname=DATABASE)
    return replace(site, database_url=url, told={**site.told, "PAYMENTS_DATABASE_URL": url})


async def load(full: Site, payments: int, data_dir: Path) -> float:
    """Fills database and data folder with so many payments; answers how many seconds it took."""
    begun, url = time.monotonic(), full.database_url
    maintenance = make_conninfo(url, dbname="postgres")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"create database {DATABASE}".encode())
    migrate(url)
    values = _values(payments)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PUBLICATIONS, values)
        ((values["first"],),) = connection.execute(FIRST)
    ends = await log.ends(full, [CHANGELOG.name])
    await asyncio.gather(
        asyncio.to_thread(_insert, url, values, (PAYMENTS, VERSIONS)),
        asyncio.to_thread(_insert, url, values, (INBOX,)),
        asyncio.to_thread(_write_table, full, payments, data_dir, ends),
    )
    with psycopg.connect(url, autocommit=True) as connection:
        # what autovacuum and the checkpointer would else do while something is measured
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return time.monotonic() - begun


def _values(payments: int) -> dict[str, Any]:
    """What the statements are filled with: one payment, as the service would have stored it."""
    received = rows.creates(generate(0, "stored", 1).commands)
    (version,) = fold(Loaded({}, {}, frozenset(), {}, {}), received).versions
    return {
        "payments": payments,
        "events": EVENTS_PER_PAYMENT,
        "per_publication": PER_PUBLICATION,
        "publications": payments // PER_PUBLICATION,
        "id": version.payment.id,
        "document": encode_payment(version.payment),
        "snapshot": encode_snapshot(snapshot(version.payment)).decode(),
    }


def _insert(url: str, values: Mapping[str, Any], statements: Sequence[LiteralString]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PREPARE)
        for statement in (PAYMENT_IDS, *statements):
            connection.execute(statement, values)


def _write_table(site: Site, payments: int, data_dir: Path, ends: log.Ends) -> None:
    """The partitions on disk, as far as the changelog is now: nothing of it is to be read again."""
    app = create_app(
        KafkaSettings(
            kafka_bootstrap=site.kafka_bootstrap, partitions=PARTITIONS, replication_factor=1
        ),
        StreamSettings(data_dir=data_dir),
    )
    table: Any = app.Table("seen", key_type=bytes, value_type=bytes, options=ROCKSDB_OPTIONS).data
    batches = [WriteBatch(raw_mode=True) for _ in range(PARTITIONS)]
    databases = [table._db_for_partition(number) for number in range(PARTITIONS)]  # noqa: SLF001  # Faust's own options
    for number, (key, value) in enumerate(entries(payments)):
        batch = batches[number % PARTITIONS]
        batch.put(key, value)
        if batch.len() >= WRITTEN_AT_ONCE:
            databases[number % PARTITIONS].write(batch)
            batches[number % PARTITIONS] = WriteBatch(raw_mode=True)
    for number, (database, batch) in enumerate(zip(databases, batches, strict=True)):
        database.write(batch)
        end = ends[TopicPartition(CHANGELOG.name, number)]
        if end:
            table.set_persisted_offset(TopicPartition(CHANGELOG.name, number), end - 1)
        database.close()
