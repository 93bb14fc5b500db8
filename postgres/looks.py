"""When objects are looked at next, what was found the last time, and whose they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from domain.payment import Payment
from ports.work_items import Look, PlannedLook
from postgres.documents import decode_payment

Connection = AsyncConnection[tuple[Any, ...]]

#: A payment that has changed is looked at as if for the first time. A limit in the join, so that it
#: is asked by payment: all looks would be read for each page. Only a clock that was wrong noted a
#: look that is more than a day away.
PLAN: Final = """
    with page as materialized (
        select payment_id, provider, object_id, version from payments
        where status in ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED')
            and updated_at < %s and object_id is not null and payment_id > %s
        order by payment_id limit %s),
    planned as (
        insert into looks (payment_id, provider, object_id, version, next_at)
        select p.payment_id, p.provider, p.object_id, p.version, %s
        from page p left join lateral (
            select version, next_at from looks
            where looks.payment_id = p.payment_id limit 1) l on true
        where l.version is null or l.version <> p.version
            or l.next_at > %s + interval '1 day'
        on conflict (payment_id) do update set version = excluded.version,
            object_id = excluded.object_id, next_at = excluded.next_at, unchanged = 0)
    select max(payment_id), count(*) from page"""

DUE: Final = """
    select l.payment_id, l.object_id, l.found, l.unchanged, l.wished_at, p.version,
        p.document::text
    from looks l join payments p using (payment_id)
    where l.provider = %s and l.next_at <= %s order by l.next_at limit %s"""

#: A look that was wished for since it was planned stays due: it may have come too early.
NOTE: Final = """
    update looks l set found = n.found, unchanged = n.unchanged, next_at = n.next_at,
        version = n.version, wished_at = n.still_wished
    from unnest(%b::text[], %b::text[], %b::int[], %b::timestamptz[], %b::int[],
        %b::timestamptz[], %b::timestamptz[])
        as n(payment_id, found, unchanged, next_at, version, wished_at, still_wished)
    where l.payment_id = n.payment_id and l.wished_at is not distinct from n.wished_at"""

#: A payment that has ended has no look, and gets one.
WISH: Final = """
    insert into looks (payment_id, provider, object_id, version, next_at, wished_at)
    select payment_id, provider, object_id, version, %(now)s, clock_timestamp()
    from payments where provider = %(provider)s and object_id = %(object_id)s
    on conflict (payment_id) do update set object_id = excluded.object_id,
        next_at = excluded.next_at, wished_at = excluded.wished_at"""

OWNERS: Final = """
    select object_id, payment_id, document::text from payments
    where (provider, object_id) in (select %s, unnest(%b::text[]))"""

KNOWN: Final = """
    select event_id from inbox where event_id = any(%b)
    union select event_id from published_parts where event_id = any(%b)"""

NOTE_PUBLISHED: Final = """
    insert into published_parts (event_id, recorded_at) select unnest(%b::text[]), %s
    on conflict do nothing"""

END: Final = "delete from looks where payment_id = any(%b) and wished_at is null"


async def plan(
    connection: Connection, silent_since: datetime, now: datetime, after: str, limit: int
) -> str | None:
    """Plans a look at each payment of a page that has changed since its last one, or had none.

    The page has unfinished payments without news since then, ordered by payment ID, from after
    ``after``. Returns its last payment ID, or None if it was the last page.
    """
    cursor = await connection.execute(PLAN, [silent_since, after, limit, now, now])
    ((last, count),) = await cursor.fetchall()
    return last if count == limit else None


async def due(
    connection: Connection, provider: str, now: datetime, limit: int
) -> list[PlannedLook]:
    """Returns the looks that are due, the longest due first."""
    cursor = await connection.execute(DUE, [provider, now, limit])
    return [
        PlannedLook(
            payment_id=payment_id,
            object_id=object_id,
            version=version,
            payment=_decoded(document),
            found=found,
            unchanged=unchanged,
            wished_at=wished_at,
        )
        for payment_id, object_id, found, unchanged, wished_at, version, document in (
            await cursor.fetchall()
        )
    ]


async def wish(connection: Connection, provider: str, object_id: str, now: datetime) -> bool:
    """Makes a look at the object due, in any case. Returns whether it is a payment's."""
    values = {"provider": provider, "object_id": object_id, "now": now}
    return (await connection.execute(WISH, values)).rowcount > 0


def _decoded(document: str) -> Payment | None:
    """Returns the payment; None if it can't be decoded, which must not stop the other looks."""
    try:
        return decode_payment(document)
    except (msgspec.DecodeError, ValueError):
        return None


async def note(connection: Connection, looks: Sequence[Look]) -> None:
    """Notes looks, each with the time of the next one."""
    rows = [
        (
            k.payment_id, k.found, k.unchanged, k.next_at, k.version,
            k.wished_at, k.wished_at if k.is_missed else None,
        )
        for k in looks
    ]  # fmt: skip
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(NOTE, columns)


async def owners_with_payments(
    connection: Connection, provider: str, objects: Sequence[str]
) -> dict[str, tuple[str, Payment | None]]:
    """Returns the payments that have these objects, by object, each with its ID."""
    cursor = await connection.execute(OWNERS, [provider, list(objects)])
    return {row[0]: (row[1], _decoded(row[2])) for row in await cursor.fetchall()}


async def known_events(connection: Connection, event_ids: Sequence[str]) -> frozenset[str]:
    """Returns those of these event IDs that have an outcome, or were noted as published."""
    cursor = await connection.execute(KNOWN, [list(event_ids), list(event_ids)])
    return frozenset(row[0] for row in await cursor.fetchall())


async def note_published(connection: Connection, event_ids: Sequence[str], now: datetime) -> None:
    """Notes event IDs as published."""
    if event_ids:
        await connection.execute(NOTE_PUBLISHED, [list(event_ids), now])


async def end(connection: Connection, payment_ids: Sequence[str]) -> None:
    """Ends the looks at payments that can't change any more."""
    await connection.execute(END, [list(payment_ids)])
