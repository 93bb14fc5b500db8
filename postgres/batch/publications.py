"""Publishes a payment's last version again, because a quarantine began or ended.

The version does not change. It is stored with the batch's publication, so that a crash before the
publishing is repaired as for every other version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection

from ports.batch import PublishableVersion, WriteSet
from postgres.batch import statements as sql
from postgres.batch.columns import as_columns

Connection = AsyncConnection[tuple[Any, ...]]


class LastVersion(Struct, frozen=True, kw_only=True):
    """The stored last version of a payment that is quarantined or released."""

    payment_id: str
    version: int
    at: datetime
    snapshot: str
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
            partition=plan.announced[payment_id],
        )
        for payment_id, version, at, snapshot in await cursor.fetchall()
    ]


async def announce(
    connection: Connection,
    plan: WriteSet,
    versions: Sequence[LastVersion],
    ids: Mapping[int, int],
    now: datetime,
) -> list[PublishableVersion]:
    """Moves these versions to the batch's publications. Returns the versions to publish."""
    published = [
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
    versions_of = [[v.payment_id for v in versions], [v.version for v in versions]]
    await connection.execute(sql.LOCK_PUBLICATIONS, [sorted(ids)])
    await connection.execute(sql.WITHDRAW, versions_of)
    await insert_unpublished(connection, published)
    await connection.execute(sql.END_EMPTY_PUBLICATIONS, [now, sorted(ids)])
    return published


async def insert_unpublished(
    connection: Connection, versions: Sequence[PublishableVersion]
) -> None:
    """Stores versions until they are published."""
    rows = [
        (v.publication_id, v.payment_id, v.version, v.at, v.snapshot.decode()) for v in versions
    ]
    if rows:
        await connection.execute(sql.INSERT_UNPUBLISHED, as_columns(rows, 5))
