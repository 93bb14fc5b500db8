"""Versions and operations that are stored and may not be published yet."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from domain.status import OperationStatus
from ports.batch import Publishable, PublishableOperation, PublishableVersion
from postgres.batch import statements as sql

Connection = AsyncConnection[tuple[Any, ...]]


async def unpublished(
    connection: Connection, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
) -> list[Publishable]:
    """Returns what may be unpublished, of these publications or partitions."""
    ids, numbers = sorted(publication_ids), sorted(partitions)
    return [
        *await _versions(connection, ids, numbers),
        *await _operations(connection, ids, numbers),
    ]


async def _operations(
    connection: Connection, publication_ids: list[int], partitions: list[int]
) -> list[PublishableOperation]:
    found: dict[tuple[str, str], PublishableOperation] = {}
    for statement, keys in (
        (sql.OPERATIONS_BY_ID, publication_ids),
        (sql.OPERATIONS_BY_PARTITION, partitions),
    ):
        if keys:
            cursor = await connection.execute(statement, [keys])
            for row in await cursor.fetchall():
                payment_id, operation_id, status, version, partition, at, text, id_ = row
                found[operation_id, status] = PublishableOperation(
                    payment_id=payment_id,
                    operation_id=operation_id,
                    status=OperationStatus(status),
                    version=version,
                    partition=partition,
                    at=at,
                    document=text.encode(),
                    publication_id=id_,
                )
    return list(found.values())


async def _versions(
    connection: Connection, publication_ids: list[int], partitions: list[int]
) -> list[PublishableVersion]:
    found: dict[tuple[str, int], PublishableVersion] = {}
    for statement, keys in (
        (sql.UNPUBLISHED_BY_ID, publication_ids),
        (sql.UNPUBLISHED_BY_PARTITION, partitions),
    ):
        if keys:
            cursor = await connection.execute(statement, [keys])
            for row in await cursor.fetchall():
                payment_id, version, partition, at, text, id_, quarantined = row
                found[payment_id, version] = PublishableVersion(
                    payment_id=payment_id,
                    version=version,
                    partition=partition,
                    at=at,
                    snapshot=text.encode(),
                    publication_id=id_,
                    quarantined=quarantined,
                )
    return list(found.values())


async def quarantine_unpublishable(
    connection: Connection, versions: Sequence[PublishableVersion], now: datetime
) -> None:
    """Quarantines the payments whose stored versions can't be published, each for its event."""
    payments = [v.payment_id for v in versions]
    errors = [f"version {v.version} has {len(v.snapshot)} bytes: too many" for v in versions]
    await connection.execute(
        sql.QUARANTINE_UNPUBLISHABLE, [now, payments, [v.version for v in versions], errors]
    )


async def mark_published(
    connection: Connection, publication_ids: Iterable[int], now: datetime
) -> None:
    """Marks these publications as published."""
    await connection.execute(sql.MARK_PUBLISHED, [now, sorted(set(publication_ids))])
