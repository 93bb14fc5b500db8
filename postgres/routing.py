"""What the router and the reconciler read and write."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from ports.provider import ListCursor
from ports.texts import utc_time
from ports.work_items import DuePayment, IgnoredWebhook, KeptNotice, UnroutedWebhook
from schemas import headers

Connection = AsyncConnection[tuple[Any, ...]]

OWNERS: Final = """
    select provider, object_id, payment_id from payments
    where (provider, object_id) in (select * from unnest(%s::text[], %s::text[]))"""

PARK_UNROUTED: Final = """
    insert into unrouted (recorded_at, event_id, provider, object_id, headers, value, received_at,
        payment_id)
    select %s, event_id, provider, object_id, headers, value, received_at,
        coalesce(p.payment_id, n.payment_id)
    from unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bytea[], %s::timestamptz[],
        %s::text[])
        as n(event_id, provider, object_id, headers, value, received_at, payment_id)
    left join payments p using (provider, object_id)
    on conflict do nothing"""

#: A payment refused what the router sent it, which the router may not have deleted yet.
PARK_AGAIN: Final = """
    update unrouted u set payment_id = coalesce(p.payment_id, n.payment_id), recorded_at = %s
    from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
        as n(event_id, provider, object_id, payment_id, refused_by)
    left join payments p using (provider, object_id)
    where u.event_id = n.event_id and u.payment_id = n.refused_by"""

#: A batch marks what waited for its payments' objects, so that no poll has to look at what waits.
MARK_ROUTABLE: Final = """
    update unrouted u set payment_id = n.payment_id
    from unnest(%s::text[], %s::text[], %s::text[]) as n(provider, object_id, payment_id)
    where u.provider = n.provider and u.object_id = n.object_id
        and u.payment_id is distinct from n.payment_id"""

#: A webhook and its payment's object may be stored at the same moment, neither seeing the other.
MARK_MISSED: Final = """
    update unrouted u set payment_id = p.payment_id from payments p
    where u.recorded_at > %s and u.payment_id is null
        and p.provider = u.provider and p.object_id = u.object_id"""

ROUTABLE: Final = """
    select event_id, provider, object_id, headers, value, payment_id from unrouted
    where payment_id is not null order by recorded_at limit %s"""

KEEP_NOTICES: Final = """
    insert into notices (recorded_at, next_at, event_id, provider, kind, context, received_at)
    select %s, %s, * from unnest(%s::text[], %s::text[], %s::text[], %s::text[],
        %s::timestamptz[])
    on conflict do nothing"""

INSERT_IGNORED: Final = """
    insert into ignored_webhooks (recorded_at, event_id, provider, kind, reason, received_at)
    select %s, * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    on conflict do nothing"""

EXPIRED_UNROUTED: Final = """
    select event_id, provider, object_id, headers, value, payment_id from unrouted
    where recorded_at < %s and provider = any(%s) order by recorded_at limit %s"""

#: Of what was sent on or ended as it was read: meanwhile its payment may have become known, or it
#: may wait for another one.
DELETE_UNROUTED: Final = """
    delete from unrouted u using unnest(%s::text[], %s::text[]) as n(event_id, payment_id)
    where u.event_id = n.event_id and u.payment_id is not distinct from n.payment_id"""

IGNORE_WAITING: Final = """
    with ended as (
        delete from unrouted u using unnest(%(ids)s::text[], %(payments)s::text[])
            as n(event_id, payment_id)
        where u.event_id = n.event_id and u.payment_id is not distinct from n.payment_id
        returning u.event_id)
    insert into ignored_webhooks (recorded_at, event_id, provider, kind, reason, received_at)
    select %(now)s, n.* from unnest(%(ids)s::text[], %(providers)s::text[], %(kinds)s::text[],
        %(reasons)s::text[], %(received)s::timestamptz[])
        as n(event_id, provider, kind, reason, received_at)
    where n.event_id in (select event_id from ended)
    on conflict do nothing"""

LEAD: Final = "select pg_try_advisory_lock(%s)"

NOW: Final = "select clock_timestamp()"

READ_CURSOR: Final = "select event_id, happened_at from cursors where provider = %s"

WRITE_CURSOR: Final = """
    insert into cursors (provider, event_id, updated_at, happened_at) values (%s, %s, %s, %s)
    on conflict (provider) do update set event_id = excluded.event_id,
        updated_at = excluded.updated_at, happened_at = excluded.happened_at"""

#: Before any payment expires.
FIRST_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

EXPIRED: Final = """
    select payment_id, tenant, version, expires_at from payments
    where status = 'REQUIRES_ACTION' and expires_at < %s
        and (expires_at, payment_id) > (%s, %s)
        and document ->> 'cancel' is null
        and not exists (select from quarantines q where q.payment_id = payments.payment_id)
    order by expires_at, payment_id limit %s"""

# No row of a payment is read: they are counted in the one index that has only them, and the oldest
# of each tenant and status is the first in the other.
GAUGES: Final = """
    with recursive tenants(tenant) as (
        (select tenant from payments order by tenant limit 1)
        union all
        select (select p.tenant from payments p where p.tenant > t.tenant order by p.tenant limit 1)
        from tenants t where t.tenant is not null)
    select 'unfinished_payment',
        (select count(*) from payments
         where status in ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED')),
        (select min(oldest.created_at) from tenants t,
             unnest(array['CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED']) as s(status),
             lateral (select p.created_at from payments p
                      where p.tenant = t.tenant and p.status = s.status
                      order by p.created_at, p.payment_id limit 1) as oldest)
    union all select 'parked_event', count(*), min(recorded_at) from inbox
        where outcome in ('parked', 'quarantined')
    union all select 'unpublished_version', count(*), min(committed_at) from publications
        where published_at is null
    union all select 'due_call', count(*), min(created_at) from provider_calls
        where state = 'due'
    union all select 'unrouted_webhook', count(*), min(recorded_at) from unrouted
    union all select 'notice', count(*), min(recorded_at) from notices where next_at is not null
    union all select 'quarantined_payment', count(*), min(quarantined_at) from quarantines"""


async def owners(
    connection: Connection, objects: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Returns payment IDs by (provider, object ID), for the objects that are known."""
    columns = [[p for p, _ in objects], [o for _, o in objects]]
    cursor = await connection.execute(OWNERS, columns)
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


async def park_unrouted(
    connection: Connection, waiting: Sequence[UnroutedWebhook], now: datetime
) -> None:
    """Stores webhooks until their payments are known. One that waits already stays as it is."""
    rows = [
        (
            u.event_id, u.provider, u.object_id,
            msgspec.json.encode(dict(u.headers)).decode(), u.value,
            _received_at(u), u.payment_id,
        )
        for u in waiting
    ]  # fmt: skip
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(PARK_UNROUTED, [now, *columns])


async def park_refused(
    connection: Connection, refused: Sequence[tuple[str, UnroutedWebhook]], now: datetime
) -> None:
    """Stores webhooks that a payment refused, each with that payment's ID.

    What the router has just sent to it waits for another payment from now on.
    """
    rows = [(u.event_id, u.provider, u.object_id, u.payment_id, by) for by, u in refused]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(PARK_AGAIN, [now, *columns])
    await park_unrouted(connection, [webhook for _, webhook in refused], now)


async def keep_notices(
    connection: Connection, notices: Sequence[KeptNotice], now: datetime
) -> None:
    """Stores notices, to be followed from now on. One that was stored stays as it is."""
    rows = [(n.event_id, n.provider, n.kind, n.context, n.received_at) for n in notices]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(KEEP_NOTICES, [now, now, *columns])


async def record_ignored(
    connection: Connection, ignored: Sequence[IgnoredWebhook], now: datetime
) -> None:
    """Records webhooks that belong to no payment, with the reason."""
    rows = [
        (i.webhook.event_id, i.webhook.provider, i.kind, i.reason, _received_at(i.webhook))
        for i in ignored
    ]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(INSERT_IGNORED, [now, *columns])


async def ignore_waiting(
    connection: Connection, ignored: Sequence[IgnoredWebhook], now: datetime
) -> None:
    """Ends webhooks that waited in vain, unless their payment has become known meanwhile."""
    values = {
        "ids": [i.webhook.event_id for i in ignored],
        "payments": [i.webhook.payment_id for i in ignored],
        "providers": [i.webhook.provider for i in ignored],
        "kinds": [i.kind for i in ignored],
        "reasons": [i.reason for i in ignored],
        "received": [_received_at(i.webhook) for i in ignored],
        "now": now,
    }
    if ignored:
        await connection.execute(IGNORE_WAITING, values)


def _received_at(webhook: UnroutedWebhook) -> datetime:
    """Returns the time in UTC: Postgres does not accept every offset."""
    return utc_time(webhook.headers[headers.RECEIVED_AT])


async def mark_routable(connection: Connection, identified: Mapping[tuple[str, str], str]) -> None:
    """Marks the stored webhooks of these objects, each with its payment's ID, as routable."""
    rows = [(*pair, payment_id) for pair, payment_id in sorted(identified.items())]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(MARK_ROUTABLE, columns)


async def mark_missed(connection: Connection, stored_since: datetime) -> None:
    """Marks webhooks stored since then whose payment was stored at the same moment."""
    await connection.execute(MARK_MISSED, [stored_since])


async def routable(connection: Connection, limit: int) -> list[UnroutedWebhook]:
    """Returns stored webhooks whose payment is known now, oldest first."""
    cursor = await connection.execute(ROUTABLE, [limit])
    return [_unrouted(row) for row in await cursor.fetchall()]


async def expired_unrouted(
    connection: Connection, before: datetime, limit: int, accounts: Sequence[str]
) -> list[UnroutedWebhook]:
    """Returns webhooks of these accounts that were stored before then, oldest first."""
    cursor = await connection.execute(EXPIRED_UNROUTED, [before, list(accounts), limit])
    return [_unrouted(row) for row in await cursor.fetchall()]


def _unrouted(row: Sequence[Any]) -> UnroutedWebhook:
    return UnroutedWebhook(
        event_id=row[0],
        provider=row[1],
        object_id=row[2],
        headers=row[3],
        value=bytes(row[4]),
        payment_id=row[5],
    )


async def delete_unrouted(connection: Connection, ended: Sequence[UnroutedWebhook]) -> None:
    """Deletes webhooks that were sent on or ended, unless they wait for another payment now."""
    columns = [[u.event_id for u in ended], [u.payment_id for u in ended]]
    await connection.execute(DELETE_UNROUTED, columns)


async def now(connection: Connection) -> datetime:
    """Returns the time by Postgres' clock."""
    ((at,),) = await (await connection.execute(NOW)).fetchall()
    return at  # type: ignore[no-any-return]  # of a row


async def read_cursor(connection: Connection, name: str) -> ListCursor | None:
    """Returns how far this list was read, or None."""
    row = await (await connection.execute(READ_CURSOR, [name])).fetchone()
    return ListCursor(row[0], row[1]) if row is not None else None


async def write_cursor(
    connection: Connection, name: str, event_id: str, now: datetime, at: datetime | None
) -> None:
    """Records how far this list was read."""
    await connection.execute(WRITE_CURSOR, [name, event_id, now, at])


async def expired(
    connection: Connection, now: datetime, after: DuePayment | None, limit: int
) -> list[DuePayment]:
    """Returns payments whose time to act is over, the earliest first, from after ``after``."""
    since = (after.expires_at, after.payment_id) if after is not None else (FIRST_TIME, "")
    cursor = await connection.execute(EXPIRED, [now, *since, limit])
    return [DuePayment(row[0], row[1], row[2], row[3]) for row in await cursor.fetchall()]


async def gauges(connection: Connection) -> list[tuple[str, int, datetime | None]]:
    """Returns (what, how many, time of the oldest) of everything that waits."""
    cursor = await connection.execute(GAUGES)
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]
