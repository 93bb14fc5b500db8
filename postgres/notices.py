"""Notices that are followed, and from when on event lists are read again because of them."""

from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from ports.provider import ListCursor
from ports.texts import storable
from ports.work_items import DueNotice, Followed
from postgres import looks
from postgres.stores import Pool, connected, for_one_statement

Connection = AsyncConnection[tuple[Any, ...]]

DUE: Final = """
    select event_id, context, attempts from notices
    where provider = %s and next_at <= %s order by next_at limit %s"""

RETRY: Final = """
    update notices set attempts = attempts + 1, next_at = %s, last_error = %s
    where event_id = %s and next_at is not null"""

END: Final = """
    update notices set next_at = null, outcome = %s, reason = %s
    where event_id = %s and next_at is not null"""

#: Beside the cursor of the list itself, which the sweep that reads it goes on writing.
WISH: Final = """
    insert into cursors (provider, event_id, updated_at, happened_at)
    values (concat(%(provider)s::text, '/again'), %(event_id)s, %(now)s, %(since)s)
    on conflict (provider) do update set event_id = excluded.event_id,
        updated_at = excluded.updated_at,
        happened_at = least(cursors.happened_at, excluded.happened_at)"""

WISHED: Final = """
    select event_id, happened_at from cursors where provider = concat(%s::text, '/again')"""

#: The event ID is that of the last notice that wished for it.
GRANTED: Final = """
    delete from cursors where provider = concat(%s::text, '/again') and event_id = %s"""


async def due(connection: Connection, provider: str, now: datetime, limit: int) -> list[DueNotice]:
    """Returns the notices of this account that are due, the longest due first."""
    cursor = await connection.execute(DUE, [provider, now, limit])
    return [DueNotice(*row) for row in await cursor.fetchall()]


async def retry(connection: Connection, event_id: str, at: datetime, error: str) -> None:
    """Makes a notice due again, whose content could not be had."""
    await connection.execute(RETRY, [at, storable(error), event_id])


async def end(connection: Connection, followed: Followed, now: datetime) -> str:
    """Ends a notice, and makes due what it asks for. Returns its outcome."""
    outcome, reason = "given_up" if followed.is_given_up else "ignored", followed.reason
    if followed.object_id is not None:
        if await looks.wish(connection, followed.provider, followed.object_id, now):
            outcome = "looked"
        else:
            reason = f"no payment of ours has the object {followed.object_id}"
    if followed.since is not None:
        values = {
            "provider": followed.provider, "event_id": followed.event_id,
            "since": followed.since, "now": now,
        }  # fmt: skip
        await connection.execute(WISH, values)
    await connection.execute(END, [outcome, storable(reason), followed.event_id])
    return outcome


async def reread_from(connection: Connection, provider: str) -> ListCursor | None:
    """Returns from when on the event list is to be read again, and whose wish that is."""
    row = await (await connection.execute(WISHED, [provider])).fetchone()
    return ListCursor(row[0], row[1]) if row is not None else None


async def end_rereading(connection: Connection, provider: str, wish: ListCursor) -> None:
    """Notes that the event list was read again. A wish that came meanwhile stays."""
    await connection.execute(GRANTED, [provider, wish.event_id])


class PostgresNotices:
    """A ``NoticeStore``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due_notices(self, provider: str, now: datetime, limit: int) -> list[DueNotice]:
        """See ``NoticeStore.due_notices``."""
        async with for_one_statement(self._pool) as connection:
            return await due(connection, provider, now, limit)

    async def retry_notice(self, event_id: str, at: datetime, error: str) -> None:
        """See ``NoticeStore.retry_notice``."""
        async with for_one_statement(self._pool) as connection:
            await retry(connection, event_id, at, error)

    async def end_notice(self, followed: Followed, now: datetime) -> str:
        """See ``NoticeStore.end_notice``."""
        async with connected(self._pool) as connection:
            return await end(connection, followed, now)

    async def reread_from(self, provider: str) -> ListCursor | None:
        """See ``NoticeStore.reread_from``."""
        async with for_one_statement(self._pool) as connection:
            return await reread_from(connection, provider)

    async def end_rereading(self, provider: str, wish: ListCursor) -> None:
        """See ``NoticeStore.end_rereading``."""
        async with for_one_statement(self._pool) as connection:
            await end_rereading(connection, provider, wish)
