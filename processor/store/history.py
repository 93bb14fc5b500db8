"""What became of old inputs: found by age and deleted, some rows at a time."""

from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

Connection = AsyncConnection[tuple[Any, ...]]

#: By table: which old rows may go. A quarantined input, and whatever waits behind it, is an
#: operator's to release; what waits for a payment that never came is nobody's.
FORGETTABLE: Final = {
    "inbox": """outcome <> 'quarantined'
        and not exists (select from holds h where h.payment_id = inbox.payment_id)""",
    "duplicates": "true",
    "dead_letters": "true",
    "ignored_webhooks": "true",
}

#: Rows that somebody else is at are left for another time.
_FORGET: Final = """
    with old as (
        select ctid from {table} where recorded_at < %s and {forgettable}
        order by recorded_at limit %s for update skip locked
    )
    delete from {table} using old where {table}.ctid = old.ctid"""

STATEMENTS: Final = {
    table: _FORGET.format(table=table, forgettable=forgettable)
    for table, forgettable in FORGETTABLE.items()
}


async def forget_history(connection: Connection, table: str, before: datetime, limit: int) -> int:
    """Deletes rows recorded before then, the oldest first; how many."""
    cursor = await connection.execute(STATEMENTS[table].encode(), [before, limit])
    return cursor.rowcount
