"""Compares the stored rows of a part with those that were decided again."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, sql

from domain.status import ProviderStatus
from postgres.history import SENT_ON
from postgres.ops.rebuild.parts import Part

Connection = AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table to compare: its key, and the columns that a rebuild must reproduce."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    #: A further condition on the stored rows.
    only: LiteralString = "true"
    #: Whether a row that was decided again must be stored.
    is_complete: bool = True


#: Releases are not decided again, nor is what was sent on because of its age, and what waits
#: behind a quarantine is not decided yet.
_DECIDED: Final = """kind <> 'operator.release' and reason <> {sent_on}
    and not (outcome in ('parked', 'quarantined')
        and payment_id in (select payment_id from {stored}.quarantines))"""

TABLES: Final = (
    Table(
        "payments",
        ("payment_id",),
        (
            "tenant", "provider", "object_id", "status", "version", "amount", "currency",
            "authorized", "captured", "refunded", "expires_at", "created_at", "updated_at",
            "document", "snapshot",
        ),
    ),
    Table(
        "payment_versions",
        ("payment_id", "version"),
        ("previous_status", "status", "event_id", "at"),
    ),
    # updated_at is the time of a published version, and which are depends on the batch
    Table("refunds", ("payment_id", "refund_id"), ("status", "amount", "reversed")),
    Table(
        "disputes",
        ("payment_id", "dispute_id"),
        ("status", "amount", "currency", "respond_by", "funds"),
    ),
    Table("open_matters", ("payment_id",), ("tenant", "created_at")),
    Table("provider_calls", ("call_key",), ("payment_id", "provider", "operation", "request")),
    # an earlier release stored none
    Table("operations", ("operation_id",), ("tenant", "status", "document"), is_complete=False),
    Table("inbox", ("event_id",), ("payment_id", "kind", "outcome", "version"), _DECIDED),
)  # fmt: skip

#: Compared as text: what is published must be equal to the byte.
_AS_TEXT: Final = frozenset({("payments", "snapshot"), ("operations", "document")})
#: Removed once they have no use any more. Then there is nothing to compare.
_REMOVED: Final = frozenset({"request"})

#: The rebuilt document, in the form of a stored one from before a report of a capture said whether
#: it names a cause: it has none that does, and has only the latest of such reports. What such a
#: report says is unknown then, and was decided without it. Of totals of refunds, too, only the
#: latest was kept, and which operations are open was not.
_DOCUMENT: Final = """
    (case when s.document = r.document or s.document @? {names_cause} or not r.document ? 'facts'
        then r.document
        else jsonb_set(r.document, array['facts'], (
            select jsonb_agg(fact - case when is_capture then 'names_cause' else '' end order by n)
            from (select fact, n, is_capture, max(n) filter (where is_capture) over () as last
                  from (select fact, n, fact ->> 'status' = {captured} as is_capture
                        from jsonb_array_elements(r.document -> 'facts')
                            with ordinality as facts(fact, n)) as facts) as facts
            where not is_capture or n = last)) end)
    - case when s.document ? 'refund_total_range' then '' else 'refund_total_range' end
    - case when s.document ? 'open_operations' then '' else 'open_operations' end"""
_NAMES_CAUSE: Final = (
    f'$.facts[*] ? (@.status == "{ProviderStatus.SUCCEEDED}" && @.names_cause == true)'
)

_ROWS: Final = """
    with s as (select true as is_here, {key}, {columns} from {stored}.{table}
               where {stored_part} and payment_id <> all(%(left_out)s::text[]) and {only}),
        r as (select true as is_here, {key}, {columns} from {table}
              where {part} and payment_id <> all(%(left_out)s::text[])),
        compared as (
            select {key}, s.is_here as is_stored, r.is_here as is_rebuilt, {sides},
                r.is_here is null or case when s.is_here is null then {is_complete}
                    else ({stored_values}) is distinct from ({rebuilt_values}) end as differs
            from s full join r using ({key}))"""
_COUNT: Final = "select count(*), count(*) filter (where differs) from compared"
_DIFFERENT: Final = """
    select concat_ws(' ', {key}),
        case when is_stored then jsonb_build_object({stored_names}) end,
        case when is_rebuilt then jsonb_build_object({rebuilt_names}) end
    from compared where differs order by {key} limit {most}"""


async def differences(
    connection: Connection,
    stored: str,
    table: Table,
    part: Part,
    left_out: Collection[str],
    limit: int,
) -> tuple[int, int, list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]]:
    """Compares a part of one table of the schema ``stored`` with the rows decided again.

    ``left_out`` are payments of the part that are not compared. Returns how many rows were
    compared, how many differ, and the first ``limit`` of these: the key, the stored row and the
    rebuilt row, either of which may be missing.
    """
    parts = _parts(stored, table, part) | {"most": sql.Literal(limit)}
    values = {"left_out": sorted(left_out)}
    found = await connection.execute(sql.SQL(_ROWS + _COUNT).format(**parts), values)
    ((compared, different),) = await found.fetchall()
    if not different:
        return compared, 0, []
    shown = await connection.execute(sql.SQL(_ROWS + _DIFFERENT).format(**parts), values)
    return compared, different, [(row[0], row[1], row[2]) for row in await shown.fetchall()]


def _parts(stored: str, table: Table, part: Part) -> dict[str, sql.Composable]:
    comma, schema = sql.SQL(", "), sql.Identifier(stored)
    rows = sql.Identifier(stored, table.name)
    old, new = (
        {c: _stored(c) for c in table.columns},
        {c: _rebuilt(table, c) for c in table.columns},
    )
    return {
        "key": comma.join(map(sql.Identifier, table.key)),
        "columns": comma.join(_selected(table, c) for c in table.columns),
        "stored": schema,
        "table": sql.Identifier(table.name),
        "part": part.has(),
        "stored_part": part.has_call(rows) if table.name == "provider_calls" else part.has(),
        "is_complete": sql.Literal(table.is_complete),
        "only": sql.SQL(table.only).format(stored=schema, sent_on=sql.Literal(SENT_ON)),
        "sides": comma.join(
            sql.SQL("{} as {}, {} as {}").format(
                old[c], sql.Identifier(f"stored_{c}"), new[c], sql.Identifier(f"rebuilt_{c}")
            )
            for c in table.columns
        ),
        "stored_values": comma.join(old.values()),
        "rebuilt_values": comma.join(new.values()),
        "stored_names": comma.join(_named(c, f"stored_{c}") for c in table.columns),
        "rebuilt_names": comma.join(_named(c, f"rebuilt_{c}") for c in table.columns),
    }


def _selected(table: Table, column: str) -> sql.Composable:
    name = sql.Identifier(column)
    is_text = (table.name, column) in _AS_TEXT
    return sql.SQL("{0}::text as {0}").format(name) if is_text else name


def _stored(column: str) -> sql.Composable:
    return sql.Identifier("s", column)


def _rebuilt(table: Table, column: str) -> sql.Composable:
    """Returns the rebuilt value, as an older release would have stored it if this one is older.

    It is null where the stored one was removed.
    """
    name = sql.Identifier("r", column)
    if (table.name, column) == ("payments", "document"):
        return sql.SQL(_DOCUMENT).format(
            names_cause=sql.Literal(_NAMES_CAUSE),
            captured=sql.Literal(str(ProviderStatus.SUCCEEDED)),
        )
    if column not in _REMOVED:
        return name
    return sql.SQL("case when s.is_here and {} is null then null else {} end").format(
        sql.Identifier("s", column), name
    )


def _named(column: str, name: str) -> sql.Composable:
    return sql.SQL("{}::text, {}").format(sql.Literal(column), sql.Identifier(name))
