"""Reads the evidence of one range of payments from Postgres, as of one moment."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from msgspec import Struct

from domain.status import Status
from ports.records import RecordOffset
from postgres.ops import audit as sql
from processor.ops.audit.ranges import Notes, Range
from processor.ops.invariants import (
    Evidence,
    InboxEvidence,
    PaymentEvidence,
    VersionEvidence,
    digest,
)
from processor.ops.operation_invariants import Answers, OperationEvidence
from processor.ops.table_invariants import CallRow, Tables, VersionPlacement
from schemas.identity import public_operation_id

Connection = psycopg.Connection[Any]
Rows = Sequence[tuple[Any, ...]]
#: A call is noted as done after its result was sent, and may take as long as that.
_RESULT_BEFORE_DONE: Final = timedelta(hours=1)
#: Later than everything: at rest, nothing is too young.
ALWAYS: Final = datetime.max.replace(tzinfo=UTC)
#: Earlier than everything: nothing was deleted.
NEVER: Final = datetime.min.replace(tzinfo=UTC)
_STATUS: Final = {str(status): status for status in Status}


class Times(Struct, frozen=True, kw_only=True):
    """What is old, and what is young."""

    #: From then on, rows may be in flight.
    before: datetime
    #: Before then, the history of inputs may be deleted.
    kept: datetime
    #: Before then, records may have left the topic of operations.
    on_topic: datetime = NEVER
    #: An incremental audit checks what is newer. None: everything is checked.
    since: datetime | None = None
    #: Whether records may be in flight.
    is_live: bool = True
    #: By partition: since when its commands are operations.
    answering: Mapping[int, datetime] = {}


def read(connection: Connection, one: Range, notes: Notes, times: Times) -> Evidence:
    """Reads a range in a transaction of its own. Raises psycopg.Error.

    It blocks: a wait on an event loop for every few kilobytes costs as much as their content.
    """
    if times.since is not None:
        notes = notes.of_listed()
    values = {
        "first": one.first, "until": one.until, "ids": notes.listed,
        "before": times.before, "kept": times.kept, "since": times.since or times.kept,
        "answered": times.kept + _RESULT_BEFORE_DONE, "on_topic": times.on_topic,
        "answering": list(times.answering), "answering_since": list(times.answering.values()),
    }  # fmt: skip
    kind = "listed" if times.since is not None else "last" if one.until is None else "range"
    tables = [table for table, of in sql.RANGED if of == kind]
    with connection.transaction():
        connection.execute(sql.ONE_MOMENT)
        with connection.pipeline():
            cursors = {
                table: connection.execute(sql.RANGED[table, kind].encode(), values)
                for table in tables
            }
            rows = {table: cursor.fetchall() for table, cursor in cursors.items()}
    return _evidence(rows, notes, times)


def _evidence(rows: Mapping[str, Rows], notes: Notes, times: Times) -> Evidence:
    versions: dict[str, list[VersionEvidence]] = {}
    new = set[tuple[str, int]]()
    for payment_id, version, previous, status, event_id, is_old, is_new in rows["versions"]:
        if is_new:
            new.add((payment_id, version))
        versions.setdefault(payment_id, []).append(
            VersionEvidence(
                payment_id=payment_id,
                version=version,
                previous_status=_STATUS[previous] if previous else None,
                status=_STATUS[status],
                event_id=event_id,
                is_old=is_old,
            )
        )
    inbox = [_input(row) for row in rows["inbox"]]
    quarantines = {row[0]: row[1] for row in rows["quarantines"]}
    return Evidence(
        inbox=inbox,
        payments={row[0]: _payment(row) for row in rows["payments"]},
        documents={row[0]: row[7] for row in rows["payments"]},
        versions=versions,
        published=notes.published.digests,
        published_versions=notes.published.versions,
        due_versions=_due(notes, new, times),
        is_whole=not times.is_live and times.since is None,
        quarantined=frozenset(quarantines),
        published_quarantined=None if times.is_live else frozenset(notes.published.quarantined),
        due_calls=frozenset(row[0] for row in rows["calls"] if row[6]),
        tables=Tables(
            refunds=_by_payment(rows["refunds"]),
            disputes=_by_payment(rows["disputes"]),
            calls=[_call(row) for row in rows["calls"]],
            quarantines=quarantines,
            inbox={row.event_id: (row.payment_id, row.outcome) for row in inbox},
            placements=[_placement(row) for row in rows["unpublished"]],
            positions={row.event_id: row.position for row in inbox},
        ),
        answers=_answers(rows, notes),
    )


def _answers(rows: Mapping[str, Rows], notes: Notes) -> Answers:
    return Answers(
        stored={
            operation_id: OperationEvidence(
                operation_id=operation_id,
                payment_id=payment_id,
                status=status,
                digest=digest(document.encode()),
                is_due=is_due,
            )
            for operation_id, payment_id, status, document, is_due in rows["operations"]
        },
        published={id_: r for of in notes.operations.values() for id_, r in of.items()},
        commands={public_operation_id(row[1], row[0]): row[6] for row in rows["inbox"] if row[-1]},
    )


def _due(notes: Notes, new: set[tuple[str, int]], times: Times) -> Mapping[str, int] | None:
    """The versions that must be on the topic; of an incremental audit, on the part that it read."""
    if times.since is not None:
        return dict(each for each in notes.marked.items() if each in new)
    return notes.marked if times.is_live else None


def _input(row: tuple[Any, ...]) -> InboxEvidence:
    event_id, payment_id, kind, topic, partition, offset, outcome, version, is_young, _ = row
    return InboxEvidence(
        event_id=event_id,
        payment_id=payment_id,
        kind=sys.intern(kind),
        position=RecordOffset(topic, partition, offset),
        outcome=outcome,
        version=version,
        is_young=is_young,
    )


def _payment(row: tuple[Any, ...]) -> PaymentEvidence:
    payment_id, status, version, amount, authorized, captured, refunded, _, *more = row
    snapshot, *repeated = more
    return PaymentEvidence(
        payment_id=payment_id,
        status=_STATUS[status],
        version=version,
        amount=amount,
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        snapshot=snapshot.encode(),
        repeats=dict(zip(sql.REPEATED_COLUMNS, repeated, strict=True)),
    )


def _call(row: tuple[Any, ...]) -> CallRow:
    key, payment_id, provider, operation, request, needs_result, _ = row
    return CallRow(
        key=key,
        payment_id=payment_id,
        provider=provider,
        operation=operation,
        request=request,
        needs_result=needs_result,
    )


def _placement(row: tuple[Any, ...]) -> VersionPlacement:
    payment_id, version, event_id, publication_id, partition = row
    return VersionPlacement(
        payment_id=payment_id,
        version=version,
        event_id=event_id,
        publication_id=publication_id,
        partition=partition,
    )


def _by_payment(rows: Rows) -> dict[str, list[Any]]:
    """Groups rows by their first column, the payment ID, and removes it."""
    found: dict[str, list[Any]] = {}
    for payment_id, *row in rows:
        found.setdefault(payment_id, []).append(tuple(row))
    return found
