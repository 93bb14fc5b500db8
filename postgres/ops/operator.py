"""What an operator looks at and notes: quarantines, releases, dead letters that were sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

Connection = AsyncConnection[tuple[Any, ...]]

QUARANTINES: Final = """
    select q.payment_id, q.event_id, q.error, q.quarantined_at, count(i.event_id), q.failed_release
    from quarantines q left join inbox i
        on i.payment_id = q.payment_id and i.outcome in ('parked', 'quarantined')
    group by q.payment_id order by q.quarantined_at, q.payment_id"""

BECAME: Final = "select event_id, outcome, reason from inbox where event_id = any(%s)"

REPLAYED: Final = 'select partition, "offset", replayed_at from dead_letter_replays'

NOTE_REPLAYED: Final = """
    insert into dead_letter_replays (replayed_at, partition, "offset")
    select %s, * from unnest(%s::int[], %s::bigint[])
    on conflict (partition, "offset") do update set replayed_at = excluded.replayed_at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A quarantined payment: the event, the error, since when, and how much waits."""

    payment_id: str
    event_id: str
    error: str
    quarantined_at: datetime
    waiting: int = 0
    #: The last release that could take up nothing, if one has failed: the error is its own.
    failed_release: str | None = None


#: Where a dead letter stands on its topic: partition and offset.
DeadLetterPosition = tuple[int, int]


async def quarantines(connection: Connection) -> list[Quarantine]:
    """Every quarantine, oldest first."""
    cursor = await connection.execute(QUARANTINES)
    return [_quarantine(row) for row in await cursor.fetchall()]


async def release_outcomes(
    connection: Connection, event_ids: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Outcome and reason of those events that have one, by event ID."""
    cursor = await connection.execute(BECAME, [list(event_ids)])
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def replayed(connection: Connection) -> dict[DeadLetterPosition, datetime]:
    """When each dead letter was sent again, of those that were."""
    cursor = await connection.execute(REPLAYED)
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


async def note_replayed(
    connection: Connection, places: Sequence[DeadLetterPosition], now: datetime
) -> None:
    """Notes that these dead letters were sent again."""
    columns = [[partition for partition, _ in places], [offset for _, offset in places]]
    await connection.execute(NOTE_REPLAYED, [now, *columns])


def _quarantine(row: Sequence[Any]) -> Quarantine:
    payment_id, event_id, error, quarantined_at, waiting, failed_release = row
    return Quarantine(
        payment_id=payment_id,
        event_id=event_id,
        error=error,
        quarantined_at=quarantined_at,
        waiting=waiting,
        failed_release=failed_release,
    )
