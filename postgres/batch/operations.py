"""Writes what changed of the operations that clients asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from ports.batch import PublishableOperation, WriteSet
from postgres.batch import statements as sql
from postgres.batch.columns import as_columns
from postgres.documents import encode_operation

Connection = AsyncConnection[tuple[Any, ...]]


def publishable(plan: WriteSet, ids: Mapping[int, int]) -> list[PublishableOperation]:
    """Returns the changes to publish. ``ids`` are the publications by partition."""
    return [
        PublishableOperation(
            payment_id=row.payment_id,
            operation_id=row.id,
            status=row.change.status,
            version=row.change.version,
            partition=row.partition,
            at=row.change.updated_at,
            document=encode_operation(row),
            publication_id=ids[row.partition],
        )
        for row in plan.operations
    ]


async def write_operations(
    connection: Connection,
    plan: WriteSet,
    changes: list[PublishableOperation],
    now: datetime,
    *,
    alone: bool,
) -> None:
    """Stores each operation's last status, and every change until it is published.

    With ``alone`` nothing will be published.
    """
    if not changes:
        return
    last = {
        row.id: (
            row.id, row.payment_id, row.change.tenant, row.change.status, row.partition,
            c.document.decode(),
        )
        for row, c in zip(plan.operations, changes, strict=True)
    }  # fmt: skip
    await connection.execute(sql.UPSERT_OPERATIONS, [now, *as_columns(list(last.values()), 6)])
    if alone:
        return
    rows = [
        (c.publication_id, c.operation_id, c.payment_id, c.status, c.version, c.at,
         c.document.decode())
        for c in changes
    ]  # fmt: skip
    await connection.execute(sql.INSERT_UNPUBLISHED_OPERATIONS, as_columns(rows, 7))
