"""Publishes a payment's last version again, because a quarantine began or ended.

The version does not change. It moves to the publication of the batch, so that a crash before the
publishing is repaired as for every other version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection

from ports.batch import PublishableVersion, WriteSet
from postgres import statements as sql

Connection = AsyncConnection[tuple[Any, ...]]


class LastVersion(Struct, frozen=True, kw_only=True):
    """The stored last version of a payment that is quarantined or released."""

    payment_id: str
    version: int
    at: datetime
    snapshot: str
    publication_id: int
    partition: int


async def last_versions(connection: Connection, plan: WriteSet) -> Sequence[LastVersion]:
    """Returns the last versions of announced payments without a new version in this plan."""
    new = {v.payment.id for v in plan.versions}
    wanted = sorted(plan.announced.keys() - new)
    if not wanted:
        return ()
    cursor = await connection.execute(sql.LAST_VERSIONS, [wanted])
    return [
        LastVersion(
            payment_id=payment_id,
            version=version,
            at=at,
            snapshot=snapshot,
            publication_id=publication_id,
            partition=plan.announced[payment_id],
        )
        for payment_id, version, at, snapshot, publication_id in await cursor.fetchall()
    ]


async def announce(
    connection: Connection,
    plan: WriteSet,
    versions: Sequence[LastVersion],
    ids: Mapping[int, int],
    now: datetime,
) -> list[PublishableVersion]:
    """Moves these versions to the batch's publications. Returns the versions to publish."""
    moved = [(v.payment_id, v.version, ids[v.partition]) for v in versions]
    columns = [list(column) for column in zip(*moved, strict=True)]
    await connection.execute(sql.MOVE_VERSIONS, columns)
    left = sorted({v.publication_id for v in versions})
    await connection.execute(sql.END_EMPTY_PUBLICATIONS, [now, left])
    return [
        PublishableVersion(
            payment_id=v.payment_id,
            version=v.version,
            partition=v.partition,
            at=v.at,
            snapshot=v.snapshot.encode(),
            publication_id=ids[v.partition],
            quarantined=v.payment_id in plan.quarantines,
        )
        for v in versions
    ]
