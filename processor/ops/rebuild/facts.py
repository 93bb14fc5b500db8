"""Checks payments that can't be decided again from what is stored of them alone.

Their facts are in their documents, from which columns, snapshot, refunds and disputes follow.
"""

from collections.abc import Sequence
from typing import Any

from domain.status import Status
from postgres.ops.audit import REPEATED_COLUMNS
from postgres.ops.rebuild import stored as sql
from postgres.ops.rebuild.parts import Connection
from processor.ops.invariants import (
    Evidence,
    PaymentEvidence,
    stored_is_derived,
    tables_agree,
)
from processor.ops.table_invariants import CallRow, Tables


async def contradictions(
    connection: Connection, stored: str, payment_ids: Sequence[str]
) -> tuple[int, list[str]]:
    """Returns how many of these payments exist, and what contradicts their own facts."""

    async def rows(statement: str) -> list[tuple[Any, ...]]:
        return await sql.read(connection, stored, statement, [list(payment_ids)])

    payments = await rows(sql.PAYMENTS)
    evidence = Evidence(
        payments={row[0]: _payment(row) for row in payments},
        documents={row[0]: row[7] for row in payments},
        tables=Tables(
            refunds=_by_payment(await rows(sql.REFUNDS)),
            disputes=_by_payment(await rows(sql.DISPUTES)),
            calls=[_call(row) for row in await rows(sql.CALLS)],
        ),
    )
    return len(payments), [*stored_is_derived(evidence), *tables_agree(evidence)]


def _call(row: tuple[Any, ...]) -> CallRow:
    key, payment_id, provider, operation, request = row
    return CallRow(
        key=key, payment_id=payment_id, provider=provider, operation=operation, request=request
    )


def _payment(row: tuple[Any, ...]) -> PaymentEvidence:
    payment_id, status, version, amount, authorized, captured, refunded, _, snapshot, *more = row
    return PaymentEvidence(
        payment_id=payment_id,
        status=Status(status),
        version=version,
        amount=amount,
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        snapshot=snapshot.encode(),
        repeats=dict(zip(REPEATED_COLUMNS, more, strict=True)),
    )


def _by_payment(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for payment_id, *row in rows:
        found.setdefault(payment_id, []).append(tuple(row))
    return found
