"""Within the transaction of a batch: load the read set under locks, write the write set.

Locks and unique keys keep two workers apart; no isolation level is relied upon. If another worker
wrote in between, BatchConflictError is raised, nothing is written, and the caller tries again.
``postgres.stores`` begins and commits it.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection, AsyncCursor

from domain.facts.waiting import may_end_wait
from domain.payment import Payment
from domain.status import WAITING, Outcome
from domain.view import amounts, snapshot
from ports.batch import InboxEntry, InboxRow, Publishable, PublishableVersion, ReadSet, WriteSet
from ports.errors import BatchConflictError
from ports.failures import describe_error
from ports.records import (
    Decode,
    DecodedInput,
    RecordOffset,
    named_cause,
    named_object,
    refusal_id,
)
from ports.work_items import UnroutedWebhook
from postgres.batch import statements as sql
from postgres.batch.columns import as_columns
from postgres.batch.operations import publishable, write_operations
from postgres.batch.parts import write_parts
from postgres.batch.publications import announce, insert_unpublished, last_versions
from postgres.batch.waiting import accounts_of, decode_waiting
from postgres.documents import decode_payment, encode_call, encode_payment, encode_publishable
from postgres.routing import mark_routable, park_refused
from runtime.tasks import ANY_ERROR
from schemas.headers import AGAIN, EVENT_ID

Connection = AsyncConnection[tuple[Any, ...]]
Cursor = AsyncCursor[tuple[Any, ...]]
#: A call under way is made once more, in parallel, if it has no answer after this.
URGENT_WITHIN: Final = timedelta(seconds=0.2)


async def load(
    connection: Connection, batch: Sequence[DecodedInput], decode: Decode, *, alone: bool = False
) -> ReadSet:
    """Returns the read set of a batch: what Postgres has of its payments and events.

    Locks the partitions and the payments, in order, so a former owner's writes are complete before
    anything is read. With ``alone`` no other worker uses these tables, and the partitions are not
    locked.
    """
    partitions = sorted({r.record.position.partition for r in batch})
    payment_ids = sorted({r.payment_id for r in batch})
    wanting = sorted({r.payment_id for r in batch if may_unpark(r)})
    objects = sorted({pair for r in batch for pair in _object_of(r)})
    async with connection.pipeline():
        if not alone:
            await connection.execute(sql.LOCK_PARTITIONS, [partitions])
        payments = await connection.execute(sql.LOAD_PAYMENTS, [payment_ids])
        known = await connection.execute(sql.LOAD_KNOWN, [sorted(_known_by(batch))])
        quarantined = await connection.execute(sql.LOAD_QUARANTINED, [payment_ids])
        waiting = await connection.execute(sql.LOAD_WAITING, [wanting])
        owners = await connection.execute(sql.LOAD_OWNERS, as_columns(objects, 2))
    unreadable: dict[str, str] = {}
    rows = await waiting.fetchall()
    found = _decode_payments(await payments.fetchall(), unreadable)
    accounts = accounts_of(found.values(), batch)
    taken_up = decode_waiting(rows, decode, accounts, unreadable)
    owned = {(row[0], row[1]): row[2] for row in await owners.fetchall()}
    if more := sorted(_objects_of(taken_up, unreadable) - set(objects)):
        cursor = await connection.execute(sql.LOAD_OWNERS, as_columns(more, 2))
        owned |= {(row[0], row[1]): row[2] for row in await cursor.fetchall()}
    entries = await known.fetchall()
    if apart := sorted(_apart({row[0] for row in rows}, taken_up)):
        cursor = await connection.execute(sql.LOAD_KNOWN, [apart])
        entries += await cursor.fetchall()
    return ReadSet(
        payments=found,
        known={
            row[0]: InboxEntry(RecordOffset(row[1], row[2], row[3]), Outcome(row[4]), row[5])
            for row in entries
        },
        quarantined=frozenset(row[0] for row in await quarantined.fetchall()),
        parked=taken_up,
        owners=owned,
        unreadable=unreadable,
    )


def _known_by(batch: Sequence[DecodedInput]) -> set[str]:
    """Returns the IDs to look up in the inbox: event IDs, and the keys of refused records."""
    return {r.event_id for r in batch} | {refusal_id(r) for r in batch}


def _apart(stored: Container[str], waiting: Mapping[str, Sequence[DecodedInput]]) -> Iterable[str]:
    """Returns the IDs to look up because of waiting records without their event's ID.

    Another record may have used it since.
    """
    for received in (each for rows in waiting.values() for each in rows):
        if refusal_id(received) in stored:
            yield from (received.event_id, refusal_id(received))


def may_unpark(received: DecodedInput) -> bool:
    """Whether this may end the wait of parked inputs; see ``domain.facts.waiting``.

    So does a record that was sent again because its account has become known.
    """
    return may_end_wait(received.payment_id, received.input) or AGAIN in received.record.headers


def _decode_payments(
    rows: Iterable[tuple[Any, ...]], unreadable: dict[str, str]
) -> dict[str, Payment]:
    """Returns payments by ID. A document that can't be read goes to ``unreadable`` instead."""
    payments = {}
    for payment_id, document in rows:
        try:
            payments[payment_id] = decode_payment(document)
        except ANY_ERROR as error:
            unreadable[payment_id] = f"what is stored of it can't be read: {describe_error(error)}"
    return payments


def _object_of(received: DecodedInput) -> Iterable[tuple[str, str]]:
    """The provider's payment object an input names, if it names one."""
    object_id = named_object(received)
    if received.provider is not None and object_id is not None:
        yield received.provider, object_id


def _objects_of(
    waiting: Mapping[str, Sequence[DecodedInput]], unreadable: dict[str, str]
) -> set[tuple[str, str]]:
    """Returns the objects that parked inputs name. A payment whose inputs fail is unreadable."""
    found: set[tuple[str, str]] = set()
    for payment_id, rows in waiting.items():
        try:
            found |= {pair for received in rows for pair in _object_of(received)}
        except ANY_ERROR as error:
            unreadable[payment_id] = f"what waits for it can't be read: {describe_error(error)}"
    return found


async def write(
    connection: Connection, plan: WriteSet, now: datetime, *, alone: bool = False
) -> list[Publishable]:
    """Writes the plan. Returns what to publish after the commit.

    With ``alone`` no other worker uses these tables, and nothing will be published.

    Raises BatchConflictError if another worker wrote in between, and SnapshotTooLargeError,
    before anything is written, for a version that could never be published.
    """
    again = await last_versions(connection, plan)
    rows_to_publish = (plan.versions, again, plan.operations)
    partitions = sorted({row.partition for rows in rows_to_publish for row in rows})
    ids: dict[int, int] = {}
    if partitions:
        cursor = await connection.execute(sql.NEXT_PUBLICATION_IDS, [len(partitions)])
        ids = dict(zip(partitions, (row[0] for row in await cursor.fetchall()), strict=True))
    seen_as = [(v, ids[v.partition], snapshot(v.payment)) for v in plan.published]
    published = [
        PublishableVersion(
            payment_id=s.id,
            version=s.version,
            partition=v.partition,
            at=v.payment.updated_at,
            snapshot=encode_publishable(s),
            publication_id=id_,
            quarantined=s.id in plan.quarantines,
        )
        for v, id_, s in seen_as
    ]
    operations = publishable(plan, ids)
    guards: list[tuple[Cursor, int]] = []
    async with connection.pipeline():
        if partitions:
            await connection.execute(
                sql.INSERT_PUBLICATIONS, [now, [ids[p] for p in partitions], partitions]
            )
        guards += await _write_payments(connection, plan, published)
        await _write_versions(connection, plan)
        if not alone:
            await insert_unpublished(connection, published)
        await write_parts(connection, [s for _, _, s in seen_as], plan.stored)
        await write_operations(connection, plan, operations, now, alone=alone)
        if plan.calls:
            rows = [
                (c.key, c.payment_id, c.provider, c.operation, encode_call(c)) for c in plan.calls
            ]
            await connection.execute(sql.INSERT_CALLS, [now, now, *as_columns(rows, 5)])
        if plan.urgent:
            await connection.execute(sql.HURRY_CALLS, [now + URGENT_WITHIN, sorted(plan.urgent)])
        guards += await _write_inbox(connection, plan, ids, now)
        if again:
            published += await announce(connection, plan, again, ids, now)
        guards += await _write_rest(connection, plan, now)
    for cursor, expected in guards:
        if cursor.rowcount != expected:
            raise BatchConflictError(f"{cursor.rowcount} of {expected} rows could be written")
    return [*published, *operations]


async def _write_payments(
    connection: Connection, plan: WriteSet, published: Sequence[PublishableVersion]
) -> list[tuple[Cursor, int]]:
    last = {p.payment_id: (p.snapshot.decode(), p.publication_id) for p in published}
    guards: list[tuple[Cursor, int]] = []
    new, old = [], []
    for payment in plan.payments.values():
        money = amounts(payment)
        sums = (money.authorized, money.captured, money.refunded)
        document = encode_payment(payment)
        stored = plan.stored.get(payment.id)
        if stored is None:
            new.append((
                payment.id, payment.tenant, payment.provider, payment.object_id, payment.status,
                payment.version, payment.amount, payment.currency, *sums, payment.expires_at,
                payment.created_at, payment.updated_at, document, *last[payment.id],
            ))  # fmt: skip
        else:
            old.append((
                payment.id, stored.version, payment.object_id, payment.status, payment.version,
                *sums, payment.updated_at, document, *last.get(payment.id, (None, None)),
            ))  # fmt: skip
    if new:
        await connection.execute(sql.INSERT_PAYMENTS, as_columns(new, 17))
    if old:
        cursor = await connection.execute(sql.UPDATE_PAYMENTS, as_columns(old, 12))
        guards.append((cursor, len(old)))
    return guards


async def _write_versions(connection: Connection, plan: WriteSet) -> None:
    rows = [
        (
            v.payment.id, v.payment.version, v.previous_status, v.payment.status, v.event_id,
            v.payment.updated_at,
        )
        for v in plan.versions
    ]  # fmt: skip
    if rows:
        await connection.execute(sql.INSERT_VERSIONS, as_columns(rows, 6))


def _kept(row: InboxRow) -> tuple[str | None, bytes | None]:
    """Returns headers and value of a record that waits; of others nothing is stored."""
    if row.outcome not in WAITING:
        return None, None
    record = row.received.record
    return msgspec.json.encode(dict(record.headers)).decode(), record.value


async def _write_inbox(
    connection: Connection, plan: WriteSet, ids: dict[int, int], now: datetime
) -> list[tuple[Cursor, int]]:
    guards: list[tuple[Cursor, int]] = []
    new: list[tuple[Any, ...]] = []
    leaving: list[tuple[Any, ...]] = []
    taking: list[tuple[Any, ...]] = []
    for row in plan.inbox:
        r, position = row.received, row.received.record.position
        is_published = (
            row.version is not None or row.changes_operations or r.payment_id in plan.announced
        )
        publication_id = ids.get(position.partition) if is_published else None
        became = (r.kind, row.outcome, row.reason, row.version, publication_id, *_kept(row))
        if row.waits_as is not None:
            (leaving if row.apart else taking).append(
                (r.payment_id, row.waits_as, row.event_id, row.ordinal, *became)
            )
        else:
            new.append((
                row.event_id, row.ordinal, r.payment_id, r.tenant, r.operation_id, became[0],
                position.topic, position.partition, position.offset, r.input.received_at,
                *became[1:],
            ))  # fmt: skip
    new.sort(key=lambda row: row[0])  # one order for all workers, so that there is no deadlock
    if plan.inbox:
        await connection.execute(sql.NEXT_DECISIONS)
    # in this order a row gives up its event ID before another one takes it
    if plan.superseded:
        gone = as_columns(sorted(plan.superseded.items()), 2)
        cursor = await connection.execute(sql.DELETE_SUPERSEDED, gone)
        guards.append((cursor, len(plan.superseded)))
    for waiting in (leaving, taking):
        if waiting:
            cursor = await connection.execute(sql.UPDATE_WAITING, as_columns(waiting, 11))
            guards.append((cursor, len(waiting)))
    if new:
        cursor = await connection.execute(sql.INSERT_INBOX, [now, *as_columns(new, 16)])
        guards.append((cursor, len(new)))
    return guards


async def _write_rest(
    connection: Connection, plan: WriteSet, now: datetime
) -> list[tuple[Cursor, int]]:
    guards: list[tuple[Cursor, int]] = []
    if plan.duplicates:
        await record_duplicates(connection, plan.duplicates, now)
    if apart := [row.received.record.position for row in plan.inbox if row.apart]:
        positions = [(at.topic, at.partition, at.offset) for at in apart]
        await connection.execute(sql.DELETE_DUPLICATES, as_columns(positions, 3))
    if plan.dead_letters:
        dead = [
            (
                d.record.position.topic,
                d.record.position.partition,
                d.record.position.offset,
                d.error,
            )
            for d in plan.dead_letters
        ]
        await connection.execute(sql.INSERT_DEAD_LETTERS, [now, *as_columns(dead, 4)])
    if plan.identified:
        await mark_routable(connection, plan.identified)
    if plan.misrouted:
        refused = [(r.payment_id, as_unrouted(r)) for r in plan.misrouted]
        await park_refused(connection, refused, now)
    if plan.released:
        cursor = await connection.execute(sql.DELETE_QUARANTINES, [sorted(plan.released)])
        guards.append((cursor, len(plan.released)))
    if plan.renewed:
        renewed = [(payment_id, *why) for payment_id, why in plan.renewed.items()]
        cursor = await connection.execute(sql.RENEW_QUARANTINES, [now, *as_columns(renewed, 3)])
        guards.append((cursor, len(renewed)))
    if plan.quarantines:
        quarantines = [(payment_id, *why) for payment_id, why in plan.quarantines.items()]
        await connection.execute(sql.INSERT_QUARANTINES, [now, *as_columns(quarantines, 3)])
    return guards


def as_unrouted(received: DecodedInput) -> UnroutedWebhook:
    """Returns a webhook that went to the wrong payment, for the router.

    Its payment is the one whose call it echoes, until another one is known to have the object.
    """
    record = received.record
    caused_by = named_cause(received.input.body)
    return UnroutedWebhook(
        event_id=record.headers[EVENT_ID],
        provider=received.provider or "",
        object_id=named_object(received) or "",
        headers=record.headers,
        value=bytes(record.value),
        payment_id=caused_by if caused_by != received.payment_id else None,
    )


async def record_duplicates(
    connection: Connection, duplicates: Sequence[DecodedInput], now: datetime
) -> None:
    """Records duplicates: records whose event ID was processed before."""
    rows = [
        (
            r.record.position.topic, r.record.position.partition, r.record.position.offset,
            r.event_id, r.payment_id, r.input.received_at, refusal_id(r),
        )
        for r in duplicates
    ]  # fmt: skip
    await connection.execute(sql.INSERT_DUPLICATES, [now, *as_columns(rows, 7)])
