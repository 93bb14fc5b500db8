"""Keeps the last version of every payment, and what became of every operation, in SQLite.

    python -m pip install --require-hashes --requirement requirements.lock
    PAYMENTS_KAFKA_BOOTSTRAP=localhost:9092 python consumer.py payments.db

Records are written in one transaction of the database, and only then committed at the brokers. So
what was not written comes again, and what was written may come again. Both are harmless, because a
record counts only if it is not older than the row. The program may be killed at any time, several
may share the work, and anybody may read everything again from the beginning.
"""

import contextlib
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, Message

log = logging.getLogger("consumer")

PAYMENTS = os.environ.get("PAYMENT_STATE_TOPIC", "payment-state")
OPERATIONS = os.environ.get("PAYMENT_OPERATIONS_TOPIC", "payment-operations")
GROUP = os.environ.get("CONSUMER_GROUP", "payments-table")
RECORDS_MAX = 500
WAIT_S = 0.5

TABLES = """
    create table if not exists payments (
        payment_id  text primary key,
        version     integer not null,
        status      text not null,
        currency    text not null,
        captured    integer not null,  -- minor units, as refunded
        refunded    integer not null,
        quarantined integer not null,
        document    text not null
    );
    create table if not exists operations (
        operation_id text primary key,
        payment_id   text not null,
        type         text not null,
        status       text not null,
        code         text,
        reason       text,
        version      integer  -- what the operation led to is in the table from this version on
    );
"""

#: Of two records of one version the later one counts: a quarantine began or ended.
PUT_PAYMENT = """
    insert into payments values (?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (payment_id) do update set version = excluded.version, status = excluded.status,
        currency = excluded.currency, captured = excluded.captured, refunded = excluded.refunded,
        quarantined = excluded.quarantined, document = excluded.document
    where excluded.version >= payments.version"""

#: After `applied` comes `done` or `refused`, and after these and `rejected` nothing. So it changes
#: a row exactly once for each operation and status: here is the place to act on a change.
PUT_OPERATION = """
    insert into operations values (?, ?, ?, ?, ?, ?, ?)
    on conflict (operation_id) do update set status = excluded.status, code = excluded.code,
        reason = excluded.reason, version = excluded.version
    where operations.status = 'applied' and excluded.status <> 'applied'"""


def opened(path: str) -> sqlite3.Connection:
    """Returns the database with its tables."""
    table = sqlite3.connect(path)
    table.execute("pragma journal_mode = wal")  # others can read meanwhile
    table.execute("pragma synchronous = full")  # what was written survives a power cut
    table.executescript(TABLES)
    return table


def subscribed(bootstrap: str) -> Consumer:
    """Returns a consumer of both topics."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": GROUP,
        # a new group begins with the oldest record, and so does one that was away for too long
        "auto.offset.reset": "earliest",
        # what a worker left half written is not read
        "isolation.level": "read_committed",
        # after a kill another process goes on after this time
        "session.timeout.ms": 6000,
        # only what is in the database is committed
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings)
    consumer.subscribe([PAYMENTS, OPERATIONS])
    return consumer


def write(table: sqlite3.Connection, record: Message) -> None:
    """Writes one record, unless the table has it or a newer one."""
    found = json.loads(record.value())
    if record.topic() == OPERATIONS:
        names = ("id", "payment_id", "type", "status", "code", "reason", "version")
        table.execute(PUT_OPERATION, [found[name] for name in names])
        return
    is_quarantined = dict(record.headers() or ()).get("ce_quarantined") == b"true"
    amounts = found["amounts"]
    row = (
        found["id"], found["version"], found["status"], found["currency"], amounts["captured"],
        amounts["refunded"], is_quarantined, record.value().decode(),
    )  # fmt: skip
    table.execute(PUT_PAYMENT, row)


def take(consumer: Consumer, table: sqlite3.Connection) -> None:
    """Writes what has come, then commits it at the brokers. Raises KafkaException, sqlite3.Error.

    After an error nothing is committed, and the next start takes the same records again.
    """
    records: Sequence[Message] = consumer.consume(RECORDS_MAX, WAIT_S)
    for record in records:
        if record.error() is not None:
            raise KafkaException(record.error())
    if not records:
        return
    with table:  # one transaction
        for record in records:
            write(table, record)
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        # the partitions may be another process's by now; it takes these records again
        log.warning("not committed, so these records come again: %s", error)


def main() -> None:
    """Takes records until it is asked to stop."""
    (path,) = sys.argv[1:]
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: stop.append(got))
    with contextlib.closing(opened(path)) as table:
        consumer = subscribed(os.environ["PAYMENTS_KAFKA_BOOTSTRAP"])
        try:
            while not stop:
                take(consumer, table)
        finally:
            consumer.close()  # leaves the group, so that another process goes on at once


if __name__ == "__main__":
    main()
