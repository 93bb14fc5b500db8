"""Deletes the history of old inputs by its age, some rows at a time.

Whole quarters of the large tables are dropped instead (``postgres.partitions``), unless the
retention is shorter than a quarter.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from schemas.headers import EVENT_ID, OBJECT_ID, PROVIDER
from schemas.topics import PAYMENT_COMMANDS

Connection = AsyncConnection[tuple[Any, ...]]

#: By table: which old rows may be deleted. Inputs that wait stay, whatever they wait for, and so do
#: all of a quarantined payment.
DELETABLE: Final = {
    # before its command's input: a command that is decided again must find no end of it
    "operations": "status <> 'applied'",
    "inbox_rest": """outcome not in ('parked', 'quarantined')
        and not exists (select from quarantines q where q.payment_id = inbox_rest.payment_id)""",
    "duplicates_rest": "true",
    "dead_letters": "true",
    "ignored_webhooks": "true",
    "published_parts": "true",
    "notices": "outcome is not null",
}

#: Rows that another transaction has locked are skipped; a later round deletes them.
_DELETE: Final = """
    with old as (
        select ctid from {table} where recorded_at < %s and {deletable}
        order by recorded_at limit %s for update skip locked
    )
    delete from {table} using old where {table}.ctid = old.ctid"""

#: The same for partitioned tables, whose rows have no place that is unique. In the order in which
#: they stand, which is about that of their age.
_DELETE_BY_KEY: Final = """
    with old as (
        select {key} from {table} where recorded_at < %s and {deletable}
        limit %s for update skip locked
    )
    delete from {table} using old where ({own}) = ({olds})"""
#: By partitioned table: its key, and which old rows may be deleted.
PARTITIONED: Final = {
    "inbox": (
        ("event_id", "recorded_at"),
        DELETABLE["inbox_rest"].replace("inbox_rest.", "inbox."),
    ),
    "duplicates": (("topic", "partition", '"offset"', "recorded_at"), "true"),
}


def _by_key(table: str, key: Sequence[str], deletable: str) -> str:
    own, olds = (", ".join(f"{name}.{column}" for column in key) for name in (table, "old"))
    return _DELETE_BY_KEY.format(
        table=table, key=", ".join(key), own=own, olds=olds, deletable=deletable
    )


STATEMENTS: Final = {
    table: _DELETE.format(table=table, deletable=deletable)
    for table, deletable in DELETABLE.items()
} | {table: _by_key(table, key, deletable) for table, (key, deletable) in PARTITIONED.items()}

#: The reason of an input that was parked for too long; a rebuild recognizes it by this text.
NEVER_CAME: Final = "its payment never came"

#: Why an input was not given up: it is not about the payment that it named. A rebuild recognizes it
#: by this text, so no other conflict has it.
SENT_ON: Final = "it waited until another payment had the object that it names, and was sent on"

#: Sends on what waited too long for the payment that it named, where another payment has its
#: object. It leaves that payment its event ID, as it would have if it had come now. Also what began
#: a quarantine: nothing could be said of it as it came, and the release may take long.
_SEND_ON: Final = """
    with old as (
        select i.event_id, i.recorded_at, p.payment_id, i.headers, i.value, i.received_at
        from inbox i join payments p on p.provider = i.headers ->> %(provider)s
            and p.object_id = i.headers ->> %(object_id)s and p.payment_id <> i.payment_id
        where i.recorded_at < %(before)s and {waits}
        order by i.recorded_at limit %(limit)s for update of i skip locked
    ), sent as (
        insert into unrouted (event_id, provider, object_id, headers, value, received_at,
            recorded_at, payment_id)
        select headers ->> %(event_id)s, headers ->> %(provider)s, headers ->> %(object_id)s,
            headers, value, received_at, recorded_at, payment_id
        from old
        on conflict do nothing
    )
    update inbox i set reason = %(reason)s, headers = null, value = null, outcome = 'conflict',
        event_id = concat(old.headers ->> %(event_id)s, '@', i.topic, '/', i.partition, '/',
            i."offset")
    from old where i.event_id = old.event_id and i.recorded_at = old.recorded_at"""
#: By what it is: each has an index of its own, that has only such rows.
SENDING_ON: Final = {
    "parked": _SEND_ON.format(waits="i.outcome = 'parked'"),
    "quarantined": _SEND_ON.format(
        waits="""i.outcome = 'quarantined'
            and i.payment_id in (select payment_id from quarantines)"""
    ),
}

#: Ends inputs whose payment does not exist. A create that decides such an input at the same moment
#: has either locked the row, or finds it changed and decides again.
_GIVE_UP: Final = """
    with old as (
        select event_id, recorded_at from inbox where recorded_at < %s and outcome = 'parked'
            and not exists (select from payments p where p.payment_id = inbox.payment_id)
            and not exists (select from quarantines q where q.payment_id = inbox.payment_id)
            and not exists (select from payments p where p.provider = inbox.headers ->> %s
                and p.object_id = inbox.headers ->> %s)
        order by recorded_at limit %s for update skip locked
    )
    update inbox set reason = %s, headers = null, value = null,
        outcome = case when topic = %s then 'rejected' else 'ignored' end
    from old where inbox.event_id = old.event_id and inbox.recorded_at = old.recorded_at"""


async def give_up_parked(connection: Connection, before: datetime, limit: int) -> int:
    """Ends inputs parked before then whose payment never came. Returns how many.

    A webhook whose object another payment has is a conflict, and is sent on to that payment, also
    one that began a quarantine. A command is rejected, any other input is ignored, and its bytes
    are dropped. This is final, even if the payment comes later.
    """
    names = {"provider": PROVIDER, "object_id": OBJECT_ID, "event_id": EVENT_ID}
    values = names | {"before": before, "limit": limit, "reason": SENT_ON}
    ended = 0
    for statement in SENDING_ON.values():
        sent_on = await connection.execute(statement.encode(), values)
        ended += sent_on.rowcount
    given_up = await connection.execute(
        _GIVE_UP, [before, PROVIDER, OBJECT_ID, limit, NEVER_CAME, PAYMENT_COMMANDS]
    )
    return ended + given_up.rowcount


async def delete_history(connection: Connection, table: str, before: datetime, limit: int) -> int:
    """Deletes up to ``limit`` rows recorded before then, oldest first. Returns how many."""
    cursor = await connection.execute(STATEMENTS[table].encode(), [before, limit])
    return cursor.rowcount
