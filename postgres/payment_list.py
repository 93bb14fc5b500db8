"""Pages of a tenant's payments by filters, newest first: the SQL, and how much of it is read.

A filter is a source, which has payments in the order of the list, or a condition on the payments of
another filter's source, or both. A page is read from one source, and a bounded number of payments
of it. So no combination of filters reads a large part of a large store: where few of many payments
match, a page is short, and the next one goes on from where it ended.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.status import Status

Connection = AsyncConnection[Any]

#: Payments of a source that one page looks at, at most.
EXAMINED_MAX: Final = 500
#: The same of a count.
COUNT_EXAMINED_MAX: Final = 5_000

_MATCHES: Final = """
    p.tenant = %(tenant)s
    and (%(statuses)s::text[] is null or p.status = any(%(statuses)s::text[]))
    and (%(currency)s::text is null or p.currency = %(currency)s::text)
    and (%(provider)s::text is null or p.provider = %(provider)s::text)
    and not exists (
        select from unnest(%(further)s::uuid[]) as further(label)
        where not exists (select from payment_labels l where l.label = further.label
                          and l.created_at = p.created_at and l.payment_id = p.payment_id))
    and (%(attention)s::boolean is null or %(attention)s::boolean = (
        exists (select from open_matters o where o.tenant = p.tenant
                and o.created_at = p.created_at and o.payment_id = p.payment_id)
        or exists (select from quarantines q where q.payment_id = p.payment_id)))"""
#: What comes after a position and was created in time.
_IN_RANGE: Final = """({0}.created_at, {0}.payment_id)
    < (%(before)s::timestamptz, %(before_id)s::text) and {0}.created_at >= %(since)s::timestamptz"""
_NEWEST: Final = "order by {0}.created_at desc, {0}.payment_id desc limit %(examined)s"
_PARTS: Final = {
    "matches": _MATCHES,
    **{f"in_range_{table}": _IN_RANGE.format(table) for table in "lmpx"},
    **{f"newest_{table}": _NEWEST.format(table) for table in ("l", "m", "p", "x", "o", "each")},
}

#: By source: the payments that are looked at.
_EXAMINED: Final = {
    # Of several statuses as many of each are read, from the one index that has them apart, and the
    # newest of them all are taken: a rare status costs no more than a common one.
    "status": """
        select each.* from unnest(%(sources)s::text[]) as s(status) cross join lateral (
            select p.created_at, p.payment_id, case when {matches} then {seen} end as seen
            from payments p
            where p.tenant = %(tenant)s and p.status = s.status and {in_range_p}
            {newest_p}) as each
        {newest_each}""",
    "label": """
        select l.created_at, l.payment_id, case when {matches} then {seen} end as seen
        from payment_labels l join payments p on p.payment_id = l.payment_id
        where l.label = %(label)s and {in_range_l}
        {newest_l}""",
    # Quarantines are few, whichever tenant's they are.
    "attention": """
        select o.created_at, o.payment_id, case when {matches} then {seen} end as seen
        from (
            (select m.created_at, m.payment_id from open_matters m
             where m.tenant = %(tenant)s and {in_range_m} {newest_m})
            union
            (select x.created_at, x.payment_id
             from quarantines q join payments x using (payment_id)
             where x.tenant = %(tenant)s and {in_range_x} {newest_x})) as o
        join payments p on p.payment_id = o.payment_id
        {newest_o}""",
}
_PAGE: Final = """
    with examined as ({examined})
    select examined.created_at, examined.payment_id,
        left(examined.seen::text, -1)
            || ',"quarantined":' || (q.payment_id is not null)::text || '}}' as snapshot
    from examined left join quarantines q using (payment_id)
    order by examined.created_at desc, examined.payment_id desc"""
_COUNT: Final = """
    with examined as ({examined})
    select created_at, payment_id, seen as snapshot from examined
    order by created_at desc, payment_id desc"""

#: By source. Each row is a payment that was looked at; ``snapshot`` is null if it does not match.
PAGES: Final = {
    source: _PAGE.format(examined=examined.format(seen="p.snapshot", **_PARTS))
    for source, examined in _EXAMINED.items()
}
#: The same without the payments themselves.
COUNTS: Final = {
    source: _COUNT.format(examined=examined.format(seen="''", **_PARTS))
    for source, examined in _EXAMINED.items()
}

_LABELLED: Final = """
    select s.label, (
        select count(*) from (
            select from payment_labels l where l.label = s.label and {in_range_l}
            limit %(examined)s) as counted) as payments
    from unnest(%(labels)s::uuid[]) as s(label)"""
_WITH_STATUS: Final = """
    select count(*) from (
        select from unnest(%(sources)s::text[]) as s(status) cross join lateral (
            select from payments p
            where p.tenant = %(tenant)s and p.status = s.status and {in_range_p}
            limit %(examined)s) as each
        limit %(examined)s) as counted"""
#: How many payments some sources have, counted up to a limit.
LABELLED: Final = _LABELLED.format(**_PARTS)
WITH_STATUS: Final = _WITH_STATUS.format(**_PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which payments a list has. None, and no status: any."""

    statuses: tuple[Status, ...] = ()
    #: Created then or later.
    created_from: datetime | None = None
    #: Created before then.
    created_to: datetime | None = None
    #: ISO 4217, upper case.
    currency: str | None = None
    #: The name of an account at a provider.
    provider: str | None = None
    order_reference: str | None = None
    #: A key and its value.
    metadata: tuple[str, str] | None = None
    #: Whether somebody has to act on the payment (docs/glossary.md).
    needs_attention: bool | None = None


@dataclass(frozen=True, slots=True)
class PageCursor:
    """The end of a page: the next page has what was created before it."""

    created_at: datetime
    payment_id: str


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """A payment that was looked at; ``snapshot`` is JSON text, None if it does not match."""

    created_at: datetime
    payment_id: str
    snapshot: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Snapshots as JSON text, and where the next page begins; None if there is none."""

    snapshots: Sequence[str]
    end: PageCursor | None


def label_of(tenant: str, term: str, value: str) -> uuid.UUID:
    """Returns the label of a tenant's payments with this term, as the database makes it."""
    text = f"{tenant}\0{term}\0{value}"
    return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


async def page(
    connection: Connection, tenant: str, filters: Filters, after: PageCursor | None, limit: int
) -> Page:
    """Returns up to ``limit`` payments of the tenant after ``after``, newest first.

    It looks at ``EXAMINED_MAX`` payments at most; so it may have fewer, and still a next page.
    """
    found: list[ListedPayment] = []
    reading = _Reading(connection, tenant, filters, PAGES)
    # One payment more than requested shows whether there is a next page.
    sizes = (limit + 1, EXAMINED_MAX - limit - 1)
    for examined in sizes:
        rows = await reading.next(after, examined)
        for row in rows:
            if row.snapshot is None:
                continue
            if len(found) == limit:
                return _page(found, PageCursor(found[-1].created_at, found[-1].payment_id))
            found.append(row)
        if len(rows) < examined:
            return _page(found, None)
        after = PageCursor(rows[-1].created_at, rows[-1].payment_id)
    return _page(found, after)


async def count(
    connection: Connection, tenant: str, filters: Filters, most: int
) -> tuple[int, bool]:
    """Returns how many payments match, ``most`` at most, and whether there may be more."""
    found, after = 0, None
    reading = _Reading(connection, tenant, filters, COUNTS)
    for examined in (most + 1, COUNT_EXAMINED_MAX - most - 1):
        rows = await reading.next(after, examined)
        found += sum(row.snapshot is not None for row in rows)
        if found > most:
            return most, True
        if len(rows) < examined:
            return found, False
        after = PageCursor(rows[-1].created_at, rows[-1].payment_id)
    return found, True


def _page(found: Sequence[ListedPayment], end: PageCursor | None) -> Page:
    return Page([row.snapshot for row in found if row.snapshot is not None], end)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    #: Of a source of labelled payments.
    label: uuid.UUID | None = None


class _Reading:
    """Reads payments from the source that is likely to have the fewest.

    The second time that is not guessed any more but counted: a position is one in every source.
    """

    def __init__(
        self,
        connection: Connection,
        tenant: str,
        filters: Filters,
        statements: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._sources = list(_sources(tenant, filters))
        self._is_guessed = True
        self._created_to = filters.created_to
        self._values: dict[str, Any] = {
            "tenant": tenant,
            "statuses": list(filters.statuses) or None,
            "sources": list(filters.statuses or Status),
            "since": filters.created_from or "-infinity",
            "currency": filters.currency,
            "provider": filters.provider,
            "attention": filters.needs_attention,
            "further": [label_of(tenant, *term) for term in _terms(filters)],
        }

    async def next(self, after: PageCursor | None, examined: int) -> Sequence[ListedPayment]:
        """Returns the next ``examined`` payments of a source, fewer at its end."""
        values = {**self._values, **self._position(after), "examined": examined}
        if not self._is_guessed and len(self._sources) > 1:
            self._sources = [await self._smallest(values)]
        self._is_guessed = False
        source = self._sources[0]
        values["label"] = source.label
        values["further"] = [each for each in values["further"] if each != source.label]
        async with self._connection.cursor(row_factory=class_row(ListedPayment)) as cursor:
            # planned each time: a plan for any parameters would not know how rare a label is
            await cursor.execute(self._statements[source.name].encode(), values, prepare=False)
            return await cursor.fetchall()

    def _position(self, after: PageCursor | None) -> dict[str, Any]:
        """The end of what is read: a cursor, or when the last payment may have been created."""
        end = self._created_to
        if after is not None and (end is None or after.created_at < end):
            return {"before": after.created_at, "before_id": after.payment_id}
        # no ID is smaller than an empty one, so that very time is left out
        return {"before": end or "infinity", "before_id": ""}

    async def _smallest(self, values: dict[str, Any]) -> _Source:
        """Counts what is left of each source, up to ``examined``; returns the smallest one."""
        sizes: dict[_Source, int] = {}
        labelled = {s.label: s for s in self._sources if s.label is not None}
        if labelled:
            cursor = await self._connection.execute(
                LABELLED.encode(), {**values, "labels": list(labelled)}
            )
            sizes |= {labelled[label]: size for label, size in await cursor.fetchall()}
        for source in self._sources:
            if source.name == "attention":
                return source
            if source.name == "status":
                cursor = await self._connection.execute(WITH_STATUS.encode(), values)
                ((sizes[source],),) = await cursor.fetchall()
        return min(self._sources, key=lambda source: sizes[source])


def _terms(filters: Filters) -> Iterator[tuple[str, str]]:
    """The terms that no column of ``payments`` has."""
    if filters.order_reference is not None:
        yield "order_reference", filters.order_reference
    if filters.metadata is not None:
        key, value = filters.metadata
        yield f"metadata.{key}", value


def _sources(tenant: str, filters: Filters) -> Iterator[_Source]:
    """What the filters' payments can be read from, the one that is likely the smallest first."""
    if filters.order_reference is not None:
        yield _Source("label", label_of(tenant, "order_reference", filters.order_reference))
    if filters.needs_attention:
        yield _Source("attention")
    if filters.metadata is not None:
        key, value = filters.metadata
        yield _Source("label", label_of(tenant, f"metadata.{key}", value))
    columns = {"provider": filters.provider, "currency": filters.currency}
    labelled = [(term, value) for term, value in columns.items() if value is not None]
    if filters.statuses or not (
        labelled or filters.order_reference or filters.metadata or filters.needs_attention
    ):
        yield _Source("status")
    for term, value in labelled:
        yield _Source("label", label_of(tenant, term, value))
