"""One payment's history, a page at a time: its inputs and its provider calls, oldest first.

Inputs and calls are read from one position on and merged by their times. A position is made of what
never changes once it is stored, and what is new comes after all that is there, so pages that are
read while the payment goes on neither repeat nor leave out anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

Connection = AsyncConnection[Any]

STANDING: Final = """
    select p.status, p.version, q.event_id as quarantined_event_id, q.quarantined_at
    from payments p left join quarantines q using (payment_id)
    where p.payment_id = %(payment_id)s and p.tenant = %(tenant)s
"""

# The inbox has each event once; duplicates has every further record of it. Events that no tenant
# sent (webhooks, results) are the payment's own. The zero is the place of an input before the calls
# of the same time. Of each table all rows of the payment are read, and the page's are
# sorted out, ties included: an index that had their order is four times as large.
ENTRIES: Final = """
    with recorded as (
        (select event_id, kind, outcome, reason, version, topic, partition, "offset",
                received_at, recorded_at
         from inbox
         where payment_id = %(payment_id)s and (tenant is null or tenant = %(tenant)s)
           and (recorded_at, 0, received_at, topic, partition, "offset")
             > (%(at)s, %(is_call)s::int, %(received_at)s, %(topic)s, %(partition)s, %(offset)s)
         order by recorded_at fetch first (%(limit)s) rows with ties)
        union all
        (select d.event_id, i.kind, 'duplicate', 'this event was processed before', null,
                d.topic, d.partition, d."offset", d.received_at, d.recorded_at
         from duplicates d join inbox i using (event_id)
         where d.payment_id = %(payment_id)s and (i.tenant is null or i.tenant = %(tenant)s)
           and (d.recorded_at, 0, d.received_at, d.topic, d.partition, d."offset")
             > (%(at)s, %(is_call)s::int, %(received_at)s, %(topic)s, %(partition)s, %(offset)s)
         order by d.recorded_at fetch first (%(limit)s) rows with ties)
    ), page as (
        select * from recorded
        order by recorded_at, received_at, topic, partition, "offset"
        limit %(limit)s
    )
    select page.*, v.previous_status as source, v.status as target
    from page left join payment_versions v
           on v.payment_id = %(payment_id)s and v.version = page.version
          and v.event_id = page.event_id and v.previous_status is distinct from v.status
    order by recorded_at, received_at, topic, partition, "offset"
"""

# A call in flight is due again when its lease ends, which says nothing to a client.
CALLS: Final = """
    select operation, call_key as key, standing as state, attempts, outcome, last_error,
           case when standing = 'due' then next_attempt_at end as next_attempt_at,
           created_at, done_at
    from provider_calls cross join lateral (
        select case when state = 'due' and attempts > 0 and last_error is null
            and next_attempt_at > now() then 'in_flight' else state end as standing) as now
    where call_key > %(payment_id)s || ':' and call_key < %(payment_id)s || ';'
      and (created_at, 1, call_key) > (%(at)s, %(is_call)s::int, %(call_key)s)
    order by created_at, call_key
    limit %(limit)s
"""

_ONE_MOMENT: Final = "set transaction isolation level repeatable read"

_BEGIN: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineCursor:
    """The end of a page: an input, or a call. The next page has what comes after it."""

    #: When the input was recorded or the call was created.
    at: datetime
    received_at: datetime = _BEGIN
    topic: str = ""
    partition: int = 0
    offset: int = 0
    #: Empty for an input.
    call_key: str = ""


@dataclass(frozen=True, slots=True)
class CurrentStatus:
    """A payment's status and version, and its quarantine, if any."""

    status: str
    version: int
    quarantined_event_id: str | None
    quarantined_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOutcome:
    """One record and its outcome; ``target`` is set if it changed the payment's status."""

    event_id: str
    kind: str
    outcome: str
    reason: str
    version: int | None
    topic: str
    partition: int
    offset: int
    received_at: datetime
    recorded_at: datetime
    source: str | None
    target: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to the provider."""

    operation: str
    key: str
    state: str
    attempts: int
    outcome: str | None
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class History:
    """A page of what is stored about one payment, in the order it was recorded."""

    standing: CurrentStatus
    entries: Sequence[InputOutcome]
    calls: Sequence[Call]
    #: The end of this page; None if it is the last one.
    end: TimelineCursor | None = None


async def page(
    connection: Connection, payment_id: str, tenant: str, after: TimelineCursor | None, limit: int
) -> History | None:
    """Returns up to ``limit`` inputs and calls after ``after``; None if it is not this tenant's.

    All of it is as of one moment.
    """
    whose = {"payment_id": payment_id, "tenant": tenant}
    # One row more than requested shows whether there is a next page.
    wanted = {**whose, **_parameters(after or TimelineCursor(at=_BEGIN)), "limit": limit + 1}
    async with connection.transaction():
        await connection.execute(_ONE_MOMENT)
        async with connection.cursor(row_factory=class_row(CurrentStatus)) as cursor:
            standing = await (await cursor.execute(STANDING, whose)).fetchone()
        if standing is None:
            return None
        async with connection.cursor(row_factory=class_row(InputOutcome)) as cursor:
            entries = await (await cursor.execute(ENTRIES, wanted)).fetchall()
        async with connection.cursor(row_factory=class_row(Call)) as cursor:
            calls = await (await cursor.execute(CALLS, wanted)).fetchall()
    return _page(standing, entries, calls, limit)


def _page(
    standing: CurrentStatus, entries: Sequence[InputOutcome], calls: Sequence[Call], limit: int
) -> History:
    # each in its own order already, which sorting keeps
    both: list[InputOutcome | Call] = [*entries, *calls]
    found = sorted(both, key=_place)
    shown = found[:limit]
    return History(
        standing,
        [each for each in shown if isinstance(each, InputOutcome)],
        [each for each in shown if isinstance(each, Call)],
        _cursor_of(shown[-1]) if len(found) > limit else None,
    )


def _place(one: InputOutcome | Call) -> tuple[datetime, bool]:
    """An input stands before the calls of its time, which it asked for."""
    return (one.created_at, True) if isinstance(one, Call) else (one.recorded_at, False)


def _cursor_of(one: InputOutcome | Call) -> TimelineCursor:
    if isinstance(one, Call):
        return TimelineCursor(at=one.created_at, call_key=one.key)
    return TimelineCursor(
        at=one.recorded_at,
        received_at=one.received_at,
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
    )


def _parameters(after: TimelineCursor) -> dict[str, Any]:
    return {
        "at": after.at,
        "is_call": int(bool(after.call_key)),
        "received_at": after.received_at,
        "topic": after.topic,
        "partition": after.partition,
        "offset": after.offset,
        "call_key": after.call_key,
    }
