"""Reads what is stored of a part's payments."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection, sql

from postgres.batch.columns import as_columns
from postgres.history import NEVER_CAME, SENT_ON
from postgres.ops.rebuild.parts import Part

Connection = AsyncConnection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]

#: Every input, in the order of the decisions. Without its order it can't be decided again, and
#: neither if it was given up because of its age. Releases are not decided again, nor is what was
#: sent on because of its age, and what waits behind a quarantine is not decided yet.
_INPUTS: Final = """
    select payment_id, topic, partition, "offset",
        decided is not null and reason <> {given_up},
        kind <> 'operator.release' and reason <> {sent_on}
            and not (outcome in ('parked', 'quarantined')
                and payment_id in (select payment_id from {stored}.quarantines))
    from {stored}.inbox i where {part} order by i.decided"""

#: Payments whose first event has left the inbox. It may have come again since, without effect.
_BEHEADED: Final = """
    select v.payment_id from {stored}.payment_versions v
    where v.version = 1 and {part_of_v}
        and not exists (select from {stored}.inbox i
                        where {part_of_i} and i.payment_id = v.payment_id
                            and i.event_id = v.event_id and i.version = 1)"""

_QUARANTINES: Final = "select count(*) from {stored}.quarantines where {part}"

#: Payments that are not decided again here, and own an object that an input here may name. They do
#: so from the beginning: when they came to own it is not stored.
_COPY_OWNERS: Final = """
    insert into payments select p.* from {stored}.payments p
    where (p.provider, p.object_id) in (select * from unnest(%b::text[], %b::text[]))
        and not ({part} and p.payment_id <> all(%b::text[]))
    on conflict do nothing"""

#: A row for each of those asked for that has one. A limit in the join, because "exists … or exists"
#: may be planned as two hashed sets, which reads both tables whole when statistics are young.
_KNOWN: Final = """
    select asked.payment_id from unnest(%s::text[]) as asked(payment_id)
    cross join lateral (
        select 1 from {stored}.payments p where p.payment_id = asked.payment_id
        union all
        select 1 from {stored}.inbox i where i.payment_id = asked.payment_id
        limit 1) as found"""
_SINCE: Final = "select distinct payment_id from {stored}.inbox where recorded_at >= %s"
_POSITIONS: Final = 'select topic, partition, "offset" from {stored}.inbox where {part}'

#: What the facts of a payment say is compared with all of this.
PAYMENTS: Final = """
    select payment_id, status, version, amount, authorized, captured, refunded, document::text,
        snapshot::text, tenant, provider, object_id, currency, expires_at, created_at, updated_at
    from {stored}.payments where payment_id = any(%s)"""
REFUNDS: Final = """
    select payment_id, refund_id, status, amount, reversed
    from {stored}.refunds where payment_id = any(%s)"""
DISPUTES: Final = """
    select payment_id, dispute_id, status, amount, currency, respond_by, funds
    from {stored}.disputes where payment_id = any(%s)"""

#: A call's key begins with its payment's ID. ``offset 0``: one look-up for each payment.
CALLS: Final = """
    select calls.* from unnest(%s::text[]) as asked(id), lateral (
        select call_key, payment_id, provider, operation, request::text from {stored}.provider_calls
        where call_key >= id || ':' and call_key < id || ';' offset 0) as calls"""


async def read(
    connection: Connection, stored: str, statement: str, parameters: Sequence[Any] = ()
) -> Rows:
    """Returns the rows of a statement that names tables of the schema ``stored``."""
    cursor = await connection.execute(_of(statement, stored), parameters)
    return await cursor.fetchall()


async def inputs(connection: Connection, stored: str, part: Part) -> Rows:
    """Returns the part's inputs, in the order of their decisions.

    Each has its payment, topic, partition and offset, whether it can be decided again, and whether
    it is to be.
    """
    reasons = {"given_up": sql.Literal(NEVER_CAME), "sent_on": sql.Literal(SENT_ON)}
    statement = _of(_INPUTS, stored, part=part.has(), **reasons)
    return await (await connection.execute(statement)).fetchall()


async def beheaded(connection: Connection, stored: str, part: Part) -> set[str]:
    """Returns the part's payments whose first event has left the inbox."""
    statement = _of(_BEHEADED, stored, part_of_v=part.has("v"), part_of_i=part.has("i"))
    return {row[0] for row in await (await connection.execute(statement)).fetchall()}


async def count_quarantines(connection: Connection, stored: str, part: Part) -> int:
    """Returns how many of the part's payments are in quarantine."""
    cursor = await connection.execute(_of(_QUARANTINES, stored, part=part.has()))
    ((count,),) = await cursor.fetchall()
    return int(count)


async def copy_owners(
    connection: Connection,
    stored: str,
    part: Part,
    objects: Collection[tuple[str, str]],
    left_out: Collection[str],
) -> None:
    """Copies the payments that own these objects and are not decided again to the shadow tables.

    Args:
        connection: where they are decided again.
        stored: the schema of the stored rows.
        part: the payments that are decided again,
        left_out: except these.
        objects: provider and the provider's ID of each.
    """
    statement = _of(_COPY_OWNERS, stored, part=part.has("p"))
    await connection.execute(statement, [*as_columns(sorted(objects), 2), sorted(left_out)])


async def known(connection: Connection, stored: str, payment_ids: Sequence[str]) -> set[str]:
    """Returns those of the payments of which anything is stored."""
    return {row[0] for row in await read(connection, stored, _KNOWN, [list(payment_ids)])}


async def with_inputs_since(connection: Connection, stored: str, since: datetime) -> list[str]:
    """Returns the payments with inputs that were recorded then or later."""
    return [row[0] for row in await read(connection, stored, _SINCE, [since])]


async def positions(connection: Connection, stored: str, part: Part) -> Rows:
    """Returns topic, partition and offset of each of the part's inputs."""
    statement = _of(_POSITIONS, stored, part=part.has())
    return await (await connection.execute(statement)).fetchall()


def _of(statement: str, stored: str, **parts: sql.Composable) -> sql.Composed:
    text = sql.SQL(statement)
    return text.format(stored=sql.Identifier(stored), **parts)
