"""Rows of refunds and disputes: those that a batch changed, and no others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.payment import Payment
from domain.view import Snapshot, snapshot
from postgres.batch import statements as sql
from postgres.batch.columns import as_columns
from postgres.batch.matters import write_matters
from postgres.documents import encode_funds

Connection = AsyncConnection[tuple[Any, ...]]
#: Columns by the ID of the refund or dispute.
Rows = Mapping[str, tuple[Any, ...]]
#: By payment ID and that ID: the columns as of the last change, and its time. None: deleted.
Changes = Mapping[tuple[str, str], tuple[Any, ...] | None]


def refund_rows(view: Snapshot) -> Rows:
    """Returns the rows of a payment's refunds."""
    return {r.id: (r.status, r.amount, r.reversed) for r in view.refunds}


def dispute_rows(view: Snapshot) -> Rows:
    """Returns the rows of a payment's disputes."""
    return {
        d.id: (d.status, d.amount, d.currency, d.respond_by, encode_funds(d.funds))
        for d in view.disputes
    }


def changes(
    rows_of: Callable[[Snapshot], Rows],
    versions: Sequence[Snapshot],
    stored: Mapping[str, Snapshot],
) -> Changes:
    """Compares the rows of each version with those of the one before it. Pure.

    Args:
        rows_of: what is compared.
        versions: the new versions, each payment's in order.
        stored: the payments before the batch, by ID; absent where they had no such row.
    """
    before: dict[str, Rows] = {}
    found: dict[tuple[str, str], tuple[Any, ...] | None] = {}
    for view in versions:
        if (known := before.get(view.id)) is None:
            known = rows_of(stored[view.id]) if view.id in stored else {}
        now = before[view.id] = rows_of(view)
        for part_id in known.keys() - now.keys():
            found[view.id, part_id] = None
        for part_id, columns in now.items():
            if known.get(part_id) != columns:
                found[view.id, part_id] = (*columns, view.updated_at)
    return found


async def write_parts(
    connection: Connection, versions: Sequence[Snapshot], stored: Mapping[str, Payment]
) -> None:
    """Writes the refunds, disputes and open matters that these versions changed."""
    had_parts = {  # few payments have
        payment.id: snapshot(payment)
        for payment in stored.values()
        if payment.parts or payment.refund_total is not None
    }
    refunds = changes(refund_rows, versions, had_parts)
    if rows := _upserted(refunds):
        await connection.execute(sql.UPSERT_REFUNDS, as_columns(rows, 6))
    # A refund made at the provider may turn out to be a requested one: it shares that one's row.
    if gone := [key for key, columns in refunds.items() if columns is None]:
        await connection.execute(sql.DELETE_REFUNDS, as_columns(gone, 2))
    if rows := _upserted(changes(dispute_rows, versions, had_parts)):
        await connection.execute(sql.UPSERT_DISPUTES, as_columns(rows, 8))
    await write_matters(connection, versions, stored)


def _upserted(found: Changes) -> list[tuple[Any, ...]]:
    return [(*key, *columns) for key, columns in found.items() if columns is not None]
