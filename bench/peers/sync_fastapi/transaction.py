"""One webhook's transaction: lock, deduplicate, decide, write, commit.

A statement at a time on one cursor: psycopg's pipelines, with half the round trips, took longer.
"""

from typing import Any

from psycopg import AsyncConnection

from bench.peers.sync_fastapi import statements as sql
from processor.domain.decide import decide
from processor.domain.decision import Decision
from processor.domain.inputs import Input
from processor.domain.payment import Payment
from processor.domain.view import amounts, snapshot
from processor.store.documents import decode_payment, encode_call, encode_payment, encode_snapshot

Connection = AsyncConnection[tuple[Any, ...]]


class UnknownPaymentError(Exception):
    """The payment is not here yet: the webhook must come again."""


async def process(connection: Connection, payment_id: str, kind: str, input_: Input) -> None:
    """Has the event's effect, once. Raises UnknownPaymentError, psycopg.Error."""
    cursor = connection.cursor()
    await cursor.execute(sql.BEGIN)
    await cursor.execute(sql.LOCK_PAYMENT, [input_.event_id, payment_id])
    row = await cursor.fetchone()
    if row is None:
        raise UnknownPaymentError(payment_id)
    document, known = row
    if known:
        await cursor.execute(sql.COMMIT)
        return
    before = decode_payment(document)
    decision = decide(before, input_, payment_id)
    event = _event(before, decision, kind, input_)
    if decision.payment is None or decision.payment is before:
        await cursor.execute(sql.WRITE_EVENT, event)
    else:
        change = _change(before, decision.payment, decision)
        await cursor.execute(sql.WRITE_PAYMENT, {**event, **change})
    await cursor.execute(sql.COMMIT)


def _event(before: Payment, decision: Decision, kind: str, input_: Input) -> dict[str, Any]:
    changed = decision.payment is not None and decision.payment is not before
    return {
        "event_id": input_.event_id,
        "payment_id": before.id,
        "kind": kind,
        "now": input_.received_at,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "version": decision.payment.version if changed and decision.payment else None,
    }


def _change(before: Payment, after: Payment, decision: Decision) -> dict[str, Any]:
    view, money = snapshot(after), amounts(after)
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
        "snapshot": encode_snapshot(view).decode(),
        "refund_ids": [r.id for r in view.refunds],
        "refund_statuses": [r.status for r in view.refunds],
        "refund_amounts": [r.amount for r in view.refunds],
        "refund_reversals": [r.reversed for r in view.refunds],
        "provider": after.provider,
        "call_keys": [c.key for c in decision.provider_calls],
        "call_operations": [c.operation for c in decision.provider_calls],
        "call_requests": [encode_call(c) for c in decision.provider_calls],
    }
