"""The reads of the API: the SQL, and one small function per query.

Every query names the tenant and returns no row of another one. Snapshots are the JSON text that was
published, with whether the payment is quarantined, and are passed on without being parsed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

Connection = AsyncConnection[Any]

ALIVE: Final = "select 1"

FIRST_INPUT: Final = """
    select event_id, received_at from inbox
    where operation_id = %(operation_id)s and tenant = %(tenant)s
    order by "offset" limit 1
"""

# The snapshot as published, with the one thing that only this store knows: it is a JSON object, so
# its last character is a brace.
SNAPSHOT: Final = """
    select left(p.snapshot::text, -1)
        || ',"quarantined":' || (q.payment_id is not null)::text || '}'
    from payments p left join quarantines q using (payment_id)
    where p.payment_id = %(payment_id)s and p.tenant = %(tenant)s
"""

# What its customer has to do, by the published version.
WAITING: Final = """
    select provider, object_id, snapshot -> 'next_action' ->> 'type' as action from payments
    where payment_id = %(payment_id)s and tenant = %(tenant)s
"""

# An earlier release stored no operations, and a command that waits has none yet.
OPERATION: Final = """
    select document::text from operations
    where operation_id = %(operation_id)s and tenant = %(tenant)s
"""

# A command that waits because our own code failed on it has its position after its event ID. Of two
# such records the first one says what the client waits for.
COMMAND: Final = """
    select kind, outcome, reason, version, received_at, recorded_at from inbox
    where payment_id = %(payment_id)s and tenant = %(tenant)s
      and (event_id = %(event_id)s or event_id ^@ (%(event_id)s || '@'))
    order by event_id <> %(event_id)s, "offset" limit 1
"""


@dataclass(frozen=True, slots=True)
class FirstInput:
    """The first input of an operation. Later ones with another event ID were refused."""

    event_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whom a payment waits for: its provider's object, and the next action's type."""

    provider: str
    object_id: str | None
    action: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """What became of a command."""

    kind: str
    outcome: str
    reason: str
    version: int | None
    received_at: datetime
    recorded_at: datetime


async def alive(connection: Connection) -> None:
    """Returns when Postgres answers."""
    await connection.execute(ALIVE)


async def first_input(connection: Connection, operation_id: str, tenant: str) -> FirstInput | None:
    """Returns the first input of this tenant's operation, or None."""
    async with connection.cursor(row_factory=class_row(FirstInput)) as cursor:
        await cursor.execute(FIRST_INPUT, {"operation_id": operation_id, "tenant": tenant})
        return await cursor.fetchone()


async def snapshot(connection: Connection, payment_id: str, tenant: str) -> str | None:
    """Returns the payment as JSON; None if it is not this tenant's."""
    cursor = await connection.execute(SNAPSHOT, {"payment_id": payment_id, "tenant": tenant})
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def waiting(connection: Connection, payment_id: str, tenant: str) -> Waiting | None:
    """Returns whom the payment waits for; None if it is not this tenant's."""
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(WAITING, {"payment_id": payment_id, "tenant": tenant})
        return await cursor.fetchone()


async def operation(
    connection: Connection, operation_id: str, payment_id: str, event_id: str, tenant: str
) -> str | CommandOutcome | None:
    """Returns the operation's document as JSON text, else its command's outcome, else None."""
    about = {
        "operation_id": operation_id,
        "payment_id": payment_id,
        "event_id": event_id,
        "tenant": tenant,
    }
    row = await (await connection.execute(OPERATION, about)).fetchone()
    if row is not None:
        return str(row[0])
    async with connection.cursor(row_factory=class_row(CommandOutcome)) as cursor:
        await cursor.execute(COMMAND, about)
        return await cursor.fetchone()
