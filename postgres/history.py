"""What became of old inputs: found by age and deleted, some rows at a time."""

from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from schemas.topics import PAYMENT_COMMANDS

Connection = AsyncConnection[tuple[Any, ...]]

#: By table: which old rows may go. A quarantined input, and whatever waits behind it, is an
#: operator's to release; what waits for a payment that never came is nobody's.
FORGETTABLE: Final = {
    "inbox": """outcome <> 'quarantined'
        and not exists (select from quarantines q where q.payment_id = inbox.payment_id)""",
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

#: Why an input that was parked for too long has no effect; a rebuild knows it by this.
NEVER_CAME: Final = "its payment never came"

#: What waits for a payment that isn't here. A create that takes such a row up at the same moment
#: either has it locked, or finds it changed and decides anew.
_GIVE_UP: Final = """
    with old as (
        select ctid from inbox where recorded_at < %s and outcome = 'parked'
            and not exists (select from payments p where p.payment_id = inbox.payment_id)
            and not exists (select from quarantines q where q.payment_id = inbox.payment_id)
        order by recorded_at limit %s for update skip locked
    )
    update inbox set reason = %s, headers = null, value = null,
        outcome = case when topic = %s then 'rejected' else 'ignored' end
    from old where inbox.ctid = old.ctid"""


async def give_up_parked(connection: Connection, before: datetime, limit: int) -> int:
    """Ends inputs parked before then whose payment never came, and drops their bytes; how many.

    A command is rejected and anything else ignored, and so it stays should the payment come.
    """
    cursor = await connection.execute(_GIVE_UP, [before, limit, NEVER_CAME, PAYMENT_COMMANDS])
    return cursor.rowcount


async def forget_history(connection: Connection, table: str, before: datetime, limit: int) -> int:
    """Deletes rows recorded before then, the oldest first; how many."""
    cursor = await connection.execute(STATEMENTS[table].encode(), [before, limit])
    return cursor.rowcount
