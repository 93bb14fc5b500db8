"""One webhook's transaction: lock, deduplicate, decide, write, commit.

It executes one statement at a time on one cursor. psycopg's pipelines, with half the round trips,
took longer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import AsyncConnection

from bench.peers.sync_fastapi import statements as sql
from domain.decide import decide
from domain.decision import Decision
from domain.inputs import Input
from domain.payment import Payment
from domain.view import Snapshot, amounts, snapshot
from ports.records import RecordOffset
from postgres.documents import decode_payment, encode_call, encode_payment, encode_snapshot

Connection = AsyncConnection[tuple[Any, ...]]
#: The position of an event that came over HTTP, without a log.
NOWHERE: Final = RecordOffset("http", 0, 0)


class UnknownPaymentError(Exception):
    """The payment does not exist yet. The webhook must be repeated."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """An event's change of its payment, and the new version's publication."""

    payment_id: str
    version: int
    at: datetime
    snapshot: bytes


async def process(
    connection: Connection,
    payment_id: str,
    kind: str,
    input_: Input,
    position: RecordOffset = NOWHERE,
) -> NewVersion | None:
    """Applies the event once. Returns the new version, if there is one.

    Raises UnknownPaymentError, psycopg.Error.
    """
    cursor = connection.cursor()
    await cursor.execute(sql.BEGIN)
    await cursor.execute(sql.LOCK_PAYMENT, [input_.event_id, payment_id])
    row = await cursor.fetchone()
    if row is None:
        raise UnknownPaymentError(payment_id)
    document, known = row
    if known:
        await cursor.execute(sql.COMMIT)
        return None
    before = decode_payment(document)
    decision = decide(before, input_, payment_id)
    event = _event(before, decision, kind, input_, position)
    after, version = decision.payment, None
    if after is None or after is before:
        await cursor.execute(sql.WRITE_EVENT, event)
    else:
        view = snapshot(after)
        encoded = encode_snapshot(view)
        change = _change(before, after, view, decision, encoded)
        await cursor.execute(sql.WRITE_PAYMENT, {**event, **change})
        if after.version > before.version:
            version = NewVersion(after.id, after.version, after.updated_at, encoded)
    await cursor.execute(sql.COMMIT)
    return version


def _event(
    before: Payment, decision: Decision, kind: str, input_: Input, position: RecordOffset
) -> dict[str, Any]:
    changed = decision.payment is not None and decision.payment is not before
    return {
        "event_id": input_.event_id,
        "payment_id": before.id,
        "kind": kind,
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
        "received_at": input_.received_at,
        "now": datetime.now(UTC),
        "outcome": decision.outcome,
        "reason": decision.reason,
        "version": decision.payment.version if changed and decision.payment else None,
    }


def _change(
    before: Payment, after: Payment, view: Snapshot, decision: Decision, encoded: bytes
) -> dict[str, Any]:
    money = amounts(after)
    return {
        "object_id": after.object_id,
        "status": after.status,
        "authorized": money.authorized,
        "captured": money.captured,
        "refunded": money.refunded,
        "updated_at": after.updated_at,
        "document": encode_payment(after),
        "is_new_version": after.version > before.version,
        "previous_status": before.status,
        "snapshot": encoded.decode(),
        "refund_ids": [r.id for r in view.refunds],
        "refund_statuses": [r.status for r in view.refunds],
        "refund_amounts": [r.amount for r in view.refunds],
        "refund_reversals": [r.reversed for r in view.refunds],
        "provider": after.provider,
        "call_keys": [c.key for c in decision.provider_calls],
        "call_operations": [c.operation for c in decision.provider_calls],
        "call_requests": [encode_call(c) for c in decision.provider_calls],
    }
