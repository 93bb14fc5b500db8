"""``python -m bench.peers.postgres_rows``: measures the writing of prepared batches.

The process reads a workload (msgpack), decodes it and folds it in memory. Then it writes each batch
with the processor's statements, in the processor's two transactions: the batch, and the mark that
it is published. There is no Kafka, nothing is loaded or locked, and only the writing is measured.
The payments exist already.
"""

import argparse
import asyncio
import json
import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import msgspec
import psycopg
from aiokafka.partitioner import DefaultPartitioner

from bench.errors import WrongResultError
from bench.site import PARTITIONS
from decisions.decode import Decoder
from decisions.fold import fold
from domain.payment import Payment
from ports.batch import InboxEntry, ReadSet, WriteSet
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from postgres.batch import transaction as store
from postgres.batch import unpublished
from postgres.documents import decode_payment
from providers.registry import translators
from schemas.headers import as_text
from schemas.settings import DatabaseSettings, StreamSettings, load
from schemas.topics import PROVIDER_WEBHOOKS

EXISTING: Final = "select payment_id, document::text from payments"


class Webhook(msgspec.Struct, array_like=True):
    """One record of the log."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Log:
    """Assigns positions to records, in the partitions that Kafka's clients would choose."""

    def __init__(self) -> None:
        self._decode = Decoder(translators()).decode
        self._partition_of = DefaultPartitioner()
        self._partitions = list(range(PARTITIONS))
        self._offsets = [count() for _ in self._partitions]

    def append(self, webhook: Webhook) -> DecodedInput:
        """The next record, decoded. Raises WrongResultError if it can't be decoded."""
        partition = self._partition_of(webhook.key, self._partitions, self._partitions)
        position = RecordOffset(PROVIDER_WEBHOOKS, partition, next(self._offsets[partition]))
        headers = as_text(webhook.headers)
        found = self._decode(
            ConsumedRecord(
                position=position,
                key=webhook.key,
                value=webhook.value,
                headers=headers,
                timestamp_ms=0,
            )
        )
        if not isinstance(found, DecodedInput):
            raise WrongResultError(f"a webhook can't be decoded: {found.error}")
        return found


def plans(
    payments: dict[str, Payment], records: Sequence[DecodedInput], batch_records: int
) -> Iterator[WriteSet]:
    """The write set of each batch, given the write sets before it."""
    known: dict[str, InboxEntry] = {}
    for start in range(0, len(records), batch_records):
        batch = records[start : start + batch_records]
        plan = fold(
            ReadSet(payments=payments, known=known, quarantined=frozenset(), parked={}, owners={}),
            batch,
        )
        payments |= plan.payments
        known |= {
            r.received.event_id: InboxEntry(r.received.record.position, r.outcome, None)
            for r in plan.inbox
        }
        yield plan


async def write(connection: store.Connection, batches: Iterable[WriteSet]) -> None:
    """Writes the batches, one after the other."""
    for plan in batches:
        published = await store.write(connection, plan, datetime.now(UTC))
        await connection.commit()
        if published:
            ids = {each.publication_id for each in published}
            await unpublished.mark_published(connection, ids, datetime.now(UTC))
            await connection.commit()


async def measure(phases: Sequence[Sequence[Webhook]]) -> list[dict[str, float]]:
    """Writes one phase after the other. Returns the figures of each."""
    url = load(DatabaseSettings).database_url.get_secret_value()
    batch_records = load(StreamSettings).batch_size
    figures = []
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows: list[tuple[Any, ...]] = await (await connection.execute(EXISTING)).fetchall()
        await connection.commit()
        payments = {payment_id: decode_payment(document) for payment_id, document in rows}
        log = Log()
        received = [[log.append(webhook) for webhook in each] for each in phases]
        prepared = [list(plans(payments, each, batch_records)) for each in received]
        for webhooks, batches in zip(phases, prepared, strict=True):
            cpu_s, begun = _cpu_s(), perf_counter()
            await write(connection, batches)
            figures.append({
                "count": len(webhooks),
                "seconds": perf_counter() - begun,
                "cpu_s": _cpu_s() - cpu_s,
            })  # fmt: skip
    return figures


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Reads phases of webhooks (msgpack), writes each phase's figures (JSON)."""
    parser = argparse.ArgumentParser(prog="bench.peers.postgres_rows", description=__doc__)
    parser.add_argument("webhooks", type=Path)
    parser.add_argument("figures", type=Path)
    options = parser.parse_args()
    phases = msgspec.msgpack.decode(options.webhooks.read_bytes(), type=list[list[Webhook]])
    options.figures.write_text(json.dumps(asyncio.run(measure(phases))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
