"""Rows of payments that have an open matter, by which a client finds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.payment import Payment
from domain.view import Snapshot, has_open_matter
from postgres.batch import statements as sql
from postgres.batch.columns import as_columns

Connection = AsyncConnection[tuple[Any, ...]]


async def write_matters(
    connection: Connection, versions: Sequence[Snapshot], stored: Mapping[str, Payment]
) -> None:
    """Adds or removes the payments' rows, by the last of these versions of each.

    Few payments ever had one, so no statement is sent for the others.
    """
    last = {seen.id: seen for seen in versions}
    opened, ended = [], []
    for seen in last.values():
        row = (seen.tenant, seen.created_at, seen.id)
        before = stored.get(seen.id)
        if has_open_matter(seen):
            opened.append(row)
        elif before is not None and (before.disputes or before.fraud_warnings):
            ended.append(row)
    if opened:
        await connection.execute(sql.INSERT_MATTERS, as_columns(opened, 3))
    if ended:
        await connection.execute(sql.DELETE_MATTERS, as_columns(ended, 3))
